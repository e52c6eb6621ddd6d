// Package smtp tells users by mail what became of their deployments.
package smtp
