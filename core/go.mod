module github.com/nodejitsu/webhooks/core

go 1.26.8
