package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
)

const (
	pathProfiles = "/debug/pprof/"
	// pathHeap returns, after a collection of garbage, the memory that a program in Go
	// has in use; every contender of the feed is one.
	pathHeap = pathProfiles + "heap?gc=1&debug=1"
)

// memoryInUse matches what such a program has in use of its heap and for stacks.
var memoryInUse = regexp.MustCompile(`# (?:HeapInuse|Stack) = (\d+)`)

// live returns the bytes that a server has in use, without garbage.
func (s *server) live(ctx context.Context) (int64, error) {
	if _, err := s.inUse(ctx); err != nil {
		return 0, err
	}
	return s.inUse(ctx) // what is in pools is freed by the second collection
}

func (s *server) inUse(ctx context.Context) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.profiles+pathHeap, http.NoBody)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	sum := int64(0)
	found := memoryInUse.FindAllSubmatch(text, -1)
	for _, match := range found {
		n, err := strconv.ParseInt(string(match[1]), 10, 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	if len(found) != 2 {
		return 0, fmt.Errorf("%s%s says %d times how much memory is in use", s.profiles, pathHeap, len(found))
	}
	return sum, nil
}
