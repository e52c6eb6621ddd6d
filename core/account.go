package core

// Account is an authenticated user of the platform.
type Account struct {
	Username string // "" if the platform's user document has none
}

// ServiceUser is the name with which this service authenticates to a platform. It
// acts for all users, and its password is a key that both know. No user can have
// this name.
const ServiceUser = "_webhooks"

// Credentials are those of HTTP Basic authentication. The password may be an API
// token.
type Credentials struct {
	Username string
	Password Secret
}

// ThirdPartyToken is a user's credential for another service. The platform stores
// it.
type ThirdPartyToken struct {
	ID       string // unique within the user
	Provider string // see the Token constants
	App      string // the only app that may use it; "*" for all
	Login    string // the user of the provider that it belongs to; "" for a webhook secret
	Scopes   []string
	Token    Secret
	Required bool // for a webhook secret: refuse unsigned deliveries
}

// What a third-party token is for.
const (
	TokenGitHub        = "github"         // an access token for GitHub's API
	TokenWebhookSecret = "webhook-secret" // the secret that GitHub signs deliveries with
)

// AnyApp is the app of a token that all apps may use.
const AnyApp = "*"
