// Package datacenters lets several platforms serve the same apps. Each is a
// platform process of its own, on a machine of its own, and one datacenter of
// what GET /endpoints tells. They share one key, and nothing else: who is a
// member is written in the configuration of each.
//
// # Home and branches
//
// One platform is the home. It keeps the users, the apps' documents and the
// snapshots; it alone decides. The others are branches. A branch has no users:
//
//   - What people ask of its API it passes on to the home, with a header that
//     names the datacenter they addressed. So a password or an API token is
//     judged in one place, and one that was withdrawn opens nothing anywhere.
//   - What the home asks of it, with the key, it does: it keeps a copy of an
//     app, builds the snapshots that it is sent, runs and stops its share. This
//     is the very API that all platforms have, called with the same header.
//
// # Where an app lives
//
// An app's `cloud` lists its shares: a datacenter and a number of drones. The
// published client sends start, stop, restart and cloud to the URL of each
// datacenter of the list.
//
//   - start, stop and restart at a datacenter that the app lives in are for the
//     share there; at another one they are for all shares.
//   - cloud with the names of datacenters says where the app lives from then
//     on, and is the published client's word for deploying it there: the active
//     snapshot is started where it does not run, and when all of that answers
//     the app is ended where it no longer is: it moves without losing a request.
//     What fails is told, and nothing is ended then.
//   - cloud without a name, [{"drones": 3}], is for the share that was
//     addressed.
//
// A datacenter that can't be reached when a share is to be ended, or the app's
// fields changed, is told as soon as it is there again: the home writes down
// what it owes (bucket `owed` of its database).
//
// # Requests
//
// A router serves what runs on its platform, and passes on what does not: the
// home's to the branch that the app lives in, a branch's to the home. So all
// apps are reached at each router, and while the home is down each branch
// still serves its own. The header Via keeps a request from going round (RFC
// 9110, 7.6.3). What a client is called is told by X-Forwarded headers, which a
// router believes where a header of ours proves that a neighbour sent them.
package datacenters
