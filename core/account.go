package core

// Account is an authenticated user of the platform.
type Account struct {
	Username string // "" if the platform's user document lacks it
	Token    bool   // authenticated by an API token, which may not change the account
}

// ServiceUser is the name by which this service authenticates to a platform, with
// the key that both share: it acts for all users. No user can have this name.
const ServiceUser = "_webhooks"

// Credentials are those of HTTP Basic authentication: the password is a password
// or an API token.
type Credentials struct {
	Username string
	Password Secret
}

// ThirdPartyToken is a credential of a user for another service, kept by the
// platform: an access token for a forge, a webhook secret, or
// the address of a service that is notified.
type ThirdPartyToken struct {
	ID       string // unique within the user
	Provider string // TokenWebhookSecret, or the kind of the forge, such as TokenGitHub
	Forge    string // host of the forge that an access token is for; "" is GitHub's for TokenGitHub
	App      string // the one app that the token may be used for; AnyApp for all
	Login    string // the user of an access token on the forge
	Scopes   []string
	Token    Secret
	Required bool // of a webhook secret: refuse deliveries that are not signed
	// Target is what the deliveries of a webhook secret ask for; nil if the first one
	// is still to say.
	Target *Target
	// Webhook is the one that a webhook secret was made for; nil if a person set it up.
	Webhook *Webhook
}

// Webhook names a webhook of a repository on its forge.
type Webhook struct {
	Forge      string `json:"forge"`      // host of the forge
	Repository string `json:"repository"` // "owner/name"
	ID         string `json:"id"`         // on the forge
}

// Values of ThirdPartyToken.Provider.
const (
	TokenGitHub        = "github"         // an access token for GitHub
	TokenWebhookSecret = "webhook-secret" // a secret that a sender signs deliveries with
	TokenNotification  = "notification"   // the address of a service that is notified of outcomes
)

// IsFor reports whether t is an access token for the forge with that host.
func (t ThirdPartyToken) IsFor(forge string) bool {
	switch {
	case t.Provider == TokenWebhookSecret || t.Provider == TokenNotification:
		return false
	case t.Forge == "" && t.Provider == TokenGitHub:
		return forge == GitHubHost
	}
	return t.Forge == forge
}

// AnyApp is the app of a token that may be used for all apps.
const AnyApp = "*"
