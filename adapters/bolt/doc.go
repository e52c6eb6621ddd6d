// Package bolt keeps entries, queue and change logs in one file, by
// go.etcd.io/bbolt: the store that webhooks uses by default, for one process.
//
// Every write is one transaction, synced to disk before it is acknowledged;
// writes that come together share one. The buckets:
//
//	bucket    key                              value
//	meta      "format"                         the version of this table
//	meta      "order"                          Order of the entry that was accepted last (8 bytes)
//	meta      "accepted"                       when that was (8 bytes, Unix milliseconds)
//	meta      "delayed"                        when an entry was last queued for later (8 bytes, Unix nanoseconds)
//	entries   id                               JSON: seq and entry
//	payloads  id                               the payload as it came
//	keys      user 0 key                       id, and when the key was made
//	users     user 0 Order (8 bytes)           id
//	apps      user 0 app 0 Order               id
//	commits   repository 0 commit 0 Order      id
//	places    id                               JSON: lane, app, when ready, when queued, lease
//	queue     time ready (8 bytes) Order       id: what waits to be claimed
//	claims    id                               –   what is claimed
//	lanes     lane                             JSON: newest entry, when pushed
//	joined    user/app                         JSON: newest entry
//	feeds     user                             JSON: last and trimmed seq, count
//	changes   user → bucket: seq (16 bytes)    JSON: entry
//	outbox    id                               –   whose outcome is to be told
//
// Every index sorts by the order of acceptance. The file is locked by its process;
// whatever was claimed when it is opened was left by one that died, and may
// be claimed again at once. Leases and the queue go by a clock that nobody sets,
// so that a machine whose clock is mended loses no claim.
package bolt
