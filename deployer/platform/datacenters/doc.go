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
//     says which datacenter they addressed. So a password or an API token is
//     judged in one place, and one that was withdrawn opens nothing anywhere.
//   - What the home asks of it, with the key, it does: it keeps a copy of an
//     app, builds the snapshots that it is sent, runs and stops its share. This
//     is the same API that all platforms have; only the copy is a call of ours,
//     PUT /datacenters/apps/USER/APP.
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
//     on. It is started where it is new, and when all of that answers it is
//     ended where it no longer is: an app moves without losing a request. What
//     fails is told, and nothing is ended then.
//   - cloud without a name, [{"drones": 3}], is for the share that was
//     addressed.
//
// A datacenter that can't be reached when a share is to be ended, or the app's
// hosts changed, is told as soon as it is there again (bucket `pending` of the
// home's database). One that is taken out of the configuration counts as gone.
//
// # Requests
//
// A router serves what runs on its platform, and passes on to the router of a
// neighbour what runs there. The home knows where an app lives; a branch asks
// the home, and the other branches that its configuration names, so that those
// still serve each other while the home is down. Answers are kept for
// seconds. A request is passed on once: its header says so and for which app,
// and is proved by the key. A router that is passed a request for an app which
// just left it says so, and the first one asks anew; the body is not sent
// before (RFC 9110, 10.1.1), so nothing is lost.
package datacenters
