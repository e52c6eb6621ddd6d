// Package chat notifies users of the outcomes of their deployments by messages to
// chat services: Slack and its like, Discord, Telegram, Microsoft Teams, Matrix, ntfy
// and Gotify.
package chat
