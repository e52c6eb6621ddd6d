package startup

import (
	"regexp"
	"strings"
)

// developmentCommand matches the programs that serve or watch sources: none of them
// is meant to run the built app, and most are pruned after the build.
var developmentCommand = regexp.MustCompile(`(?:^|[\s;&|(/])(` + strings.Join([]string{
	`nodemon`, `ts-node-dev`, `webpack-dev-server`,
	`(?:next|nuxt|nuxi|astro|vinxi|remix|react-router|svelte-kit|waku) dev`, `remix vite:dev`, `strapi develop`,
	`vite(?: dev| serve)?`, `(?:webpack|ng|gatsby|vue-cli-service|ionic|parcel) (?:serve|develop)`, `react-scripts start`, `craco start`,
	`tsx watch`, `node --watch`, `nest start (?:--watch|-w)`, `node ace serve`,
}, "|") + `)(?:\s+-|\s*$|\s*[;&|)])`)

// Development returns the part of a start command that serves sources for
// development, such as "next dev", or "" if none does.
func Development(start string) string {
	found := developmentCommand.FindStringSubmatch(strings.Join(strings.Fields(start), " "))
	if found == nil {
		return ""
	}
	return found[1]
}

// Explained returns why a start failed, and what to change if its command is for
// development.
func Explained(start, reason string) string {
	if tool := Development(start); tool != "" {
		reason += "; its start command runs " + tool + ", which is for development: have the script start, or web in a Procfile, run what the build has made"
	}
	return reason
}
