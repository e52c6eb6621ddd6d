module github.com/nodejitsu/webhooks/adapters

go 1.26.8

require (
	github.com/google/go-github/v60 v60.0.0
	github.com/nodejitsu/webhooks/core v0.1.0
	go.etcd.io/bbolt v1.5.0
)

require (
	github.com/google/go-querystring v1.1.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/nodejitsu/webhooks/core => ../core
