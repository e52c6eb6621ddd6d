package core

// Account is somebody who proved to be a user of the platform.
type Account struct {
	Username string // "" where the platform's user document lacks it
}

// ServiceUser is who this service is to a platform: it acts for all users, and
// proves itself with the key that both share. No user can have this name.
const ServiceUser = "_webhooks"

// Credentials are what a caller gave by HTTP Basic authentication: a password
// or an API token.
type Credentials struct {
	Username string
	Password Secret
}

// ThirdPartyToken is a user's key for somebody else, kept by the platform.
type ThirdPartyToken struct {
	ID       string // unique within the user
	Provider string // see the Token constants
	App      string // the one app it may serve; "*" for all
	Login    string // whose token it is at the provider; "" for a webhook secret
	Scopes   []string
	Token    Secret
	Required bool // of a webhook secret: refuse what is not signed
}

// What a third-party token is for.
const (
	TokenGitHub        = "github"         // an access token for GitHub's API
	TokenWebhookSecret = "webhook-secret" // the secret that GitHub signs deliveries with
)

// AnyApp is the app of a token that serves all apps.
const AnyApp = "*"
