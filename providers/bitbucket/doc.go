// Package bitbucket reads the webhook deliveries of Bitbucket Cloud and of
// Bitbucket Data Center, which was called Bitbucket Server.
//
// A delivery with the header X-Event-Key is Bitbucket's (support.atlassian.com,
// "Event payloads", and confluence.atlassian.com, "Event payload"). The payloads of
// the two have little in common: those of Data Center have the event as eventKey,
// and those of Cloud have not.
//
// One delivery may report several refs of a push. The event of the first one has
// those of the others as its Others.
package bitbucket
