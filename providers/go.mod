// The required sibling version is published by the next release; to tidy this
// module run ../tools/alone.sh providers mod tidy.
module github.com/nodejitsu/webhooks/providers

go 1.26.8

require github.com/nodejitsu/webhooks/core v0.1.0

require go.yaml.in/yaml/v3 v3.0.6
