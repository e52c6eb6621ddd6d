// Package smtp notifies users of the outcomes of their deployments by mail.
package smtp
