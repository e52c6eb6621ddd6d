-- ARGV: id, user, key. Tells all that is kept of an entry: the entry, its
-- payload, whose the key is, lane, 1 where it is queued or claimed, when it is
-- ready, and 1 where its outcome is to be told.
local id, user, key = ARGV[6], ARGV[7], ARGV[8]
local e = redis.call('HMGET', entry(id), 'lane', 'at')
local queued = redis.call('ZSCORE', K .. 'queue', id) or redis.call('ZSCORE', K .. 'claims', id)
return { told(id), redis.call('GET', K .. 'p:' .. id) or '', redis.call('GET', K .. 'k:' .. user .. ' ' .. key) or '',
	e[1] or '', queued and '1' or '0', e[2] or '0', redis.call('ZSCORE', K .. 'outbox', id) and '1' or '0' }
