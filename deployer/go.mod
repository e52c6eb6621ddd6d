// The required sibling version is published by the next release; to tidy this
// module run ../tools/alone.sh deployer mod tidy.
module github.com/nodejitsu/webhooks/deployer

go 1.26.8

require (
	github.com/alexedwards/argon2id v1.0.0
	github.com/coder/websocket v1.8.15
	github.com/klauspost/compress v1.20.3
	github.com/nodejitsu/webhooks/core v0.1.0
	github.com/nodejitsu/webhooks/httpapi v0.1.0
	go.etcd.io/bbolt v1.5.0
	golang.org/x/sys v0.49.0
)

require golang.org/x/crypto v0.58.0 // indirect
