module github.com/nodejitsu/webhooks/tools

go 1.26.8

require (
	github.com/nodejitsu/webhooks/adapters v0.1.0
	github.com/nodejitsu/webhooks/core v0.1.0
	github.com/nodejitsu/webhooks/deployer v0.1.0
	github.com/nodejitsu/webhooks/httpapi v0.1.0
	github.com/nodejitsu/webhooks/providers v0.1.0
)

require (
	github.com/fsnotify/fsnotify v1.9.0 // indirect
	github.com/go-viper/mapstructure/v2 v2.4.0 // indirect
	github.com/google/go-github/v60 v60.0.0 // indirect
	github.com/google/go-querystring v1.1.0 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/knadh/koanf/maps v0.1.2 // indirect
	github.com/knadh/koanf/parsers/yaml v1.1.1 // indirect
	github.com/knadh/koanf/providers/env/v2 v2.0.2 // indirect
	github.com/knadh/koanf/providers/file v1.2.1 // indirect
	github.com/knadh/koanf/providers/posflag v1.0.2 // indirect
	github.com/knadh/koanf/v2 v2.4.1 // indirect
	github.com/mitchellh/copystructure v1.2.0 // indirect
	github.com/mitchellh/reflectwalk v1.0.2 // indirect
	github.com/spf13/cobra v1.10.2 // indirect
	github.com/spf13/pflag v1.0.9 // indirect
	go.uber.org/dig v1.19.0 // indirect
	go.uber.org/fx v1.24.0 // indirect
	go.uber.org/multierr v1.10.0 // indirect
	go.uber.org/zap v1.28.0 // indirect
	go.uber.org/zap/exp v0.3.0 // indirect
	go.yaml.in/yaml/v3 v3.0.6 // indirect
	golang.org/x/mod v0.42.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace (
	github.com/nodejitsu/webhooks/adapters => ../adapters
	github.com/nodejitsu/webhooks/core => ../core
	github.com/nodejitsu/webhooks/deployer => ../deployer
	github.com/nodejitsu/webhooks/httpapi => ../httpapi
	github.com/nodejitsu/webhooks/providers => ../providers
)
