package coretest

import (
	"context"
	"maps"
	"slices"
	"time"
)

// mostOwed is how many outcomes Owed returns at most.
const mostOwed = 100

// Owe implements deploy.Outbox.
func (m *Memory) Owe(ctx context.Context, id string, lease time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.owed[id] = m.now().Add(lease)
	return nil
}

// Told implements deploy.Outbox.
func (m *Memory) Told(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.owed, id)
	return nil
}

// Owed implements deploy.Outbox.
func (m *Memory) Owed(ctx context.Context, telling []string, lease time.Duration) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	for _, id := range telling {
		if _, owed := m.owed[id]; owed {
			m.owed[id] = now.Add(lease)
		}
	}
	var due []string
	for _, id := range slices.Sorted(maps.Keys(m.owed)) {
		if !m.owed[id].After(now) && len(due) < mostOwed {
			m.owed[id] = now.Add(lease)
			due = append(due, id)
		}
	}
	return due, nil
}
