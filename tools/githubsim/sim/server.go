package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Options configure a [Server].
type Options struct {
	// Dir is the folder of the bare repositories, OWNER/NAME.git below it. It
	// is created if it does not exist.
	Dir string
	// WebURL is the prefix of the addresses of pages; default
	// https://github.com.
	WebURL string
	// AnonymousLimit is the hourly rate limit without a token. The default is
	// 5000, as with a token, so that a test does not reach it by accident;
	// GitHub's is 60.
	AnonymousLimit int
	// DeliveryTimeout limits the wait for the answer of a webhook; default 10 s,
	// as at github.com. GitHub Enterprise Server waits 30 s.
	DeliveryTimeout time.Duration
	// HookProgram is the path of a githubsim program that the post-receive hook
	// of new repositories calls after a push. By default there is no hook, and
	// the caller of git push calls [Server.Pushed].
	HookProgram string
	// Now is the clock.
	Now func() time.Time
	// Logger receives a line for each request and delivery, at debug level.
	Logger *slog.Logger
}

const (
	hourlyLimit     = 5000
	deliveryTimeout = 10 * time.Second // GitHub's
	travisTimeout   = 60 * time.Second // Travis CI's
)

// Server is the stand-in. Its methods may be called concurrently. Those that run
// git or send something must be called after Start.
type Server struct {
	options   Options
	sender    *http.Client // of webhooks: follows no redirect, as GitHub
	travis    *http.Client // of notifications: follows them, as Travis CI
	transport *http.Transport

	api, archive *http.Server
	apiAddr      string
	serving      sync.WaitGroup

	mu           sync.Mutex
	archiveHost  string                 // that redirects name
	tokens       map[string]*user       // by token
	repositories map[string]*repository // by lower-case slug
	links        map[string]link        // to archives, by token
	rates        map[string]*rate       // by lower-case login
	faults       []*fault
	holds        []*hold
	requests     []*Request
	deliveries   []Delivery
	hookCount    int64
	statusCount  int64
	runCount     int64
}

// New returns a Server.
func New(options Options) *Server {
	if options.WebURL == "" {
		options.WebURL = "https://github.com"
	}
	if options.AnonymousLimit <= 0 {
		options.AnonymousLimit = hourlyLimit
	}
	if options.DeliveryTimeout <= 0 {
		options.DeliveryTimeout = deliveryTimeout
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	transport := &http.Transport{DialContext: (&net.Dialer{Timeout: options.DeliveryTimeout}).DialContext}
	return &Server{
		options:   options,
		transport: transport,
		sender: &http.Client{
			Transport:     transport,
			Timeout:       options.DeliveryTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		travis:       &http.Client{Transport: transport, Timeout: travisTimeout},
		tokens:       map[string]*user{},
		repositories: map[string]*repository{},
		links:        map[string]link{},
		rates:        map[string]*rate{},
	}
}

// Start opens the repositories in the folder and listens on two addresses, such as
// "127.0.0.1:0": one for the API and one for the archives. It returns when both
// accept connections.
func (s *Server) Start(ctx context.Context, apiAddr, archiveAddr string) error {
	dir, err := filepath.Abs(s.options.Dir)
	if err != nil {
		return fmt.Errorf("sim: %w", err)
	}
	s.options.Dir = dir
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("sim: %w", err)
	}
	if err := s.adopt(ctx); err != nil {
		return err
	}
	var lc net.ListenConfig
	apiListener, err := lc.Listen(ctx, "tcp", apiAddr)
	if err != nil {
		return fmt.Errorf("sim: %w", err)
	}
	archiveListener, err := lc.Listen(ctx, "tcp", archiveAddr)
	if err != nil {
		return errors.Join(fmt.Errorf("sim: %w", err), apiListener.Close())
	}
	s.apiAddr = apiListener.Addr().String()
	s.SetArchiveHost(archiveListener.Addr().String())
	s.api = s.serve(apiListener, s.apiHandler())
	s.archive = s.serve(archiveListener, s.archiveHandler())
	return nil
}

func (s *Server) serve(listener net.Listener, handler http.Handler) *http.Server {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(s.options.Logger.Handler(), slog.LevelWarn),
	}
	s.serving.Go(func() {
		if err := server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			s.options.Logger.Error("serving failed", "error", err)
		}
	})
	return server
}

// Stop closes both listeners, releases all holds, and waits for the running
// requests until ctx ends; then it closes their connections. It may be called
// more than once, and without Start.
func (s *Server) Stop(ctx context.Context) error {
	s.releaseAll()
	var errs []error
	for _, server := range []*http.Server{s.api, s.archive} {
		if server == nil {
			continue
		}
		if err := server.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("sim: stop: %w", err), server.Close())
		}
	}
	s.serving.Wait()
	s.transport.CloseIdleConnections()
	return errors.Join(errs...)
}

// URL returns the base URL of the API, such as "http://127.0.0.1:4000/".
func (s *Server) URL() string { return "http://" + s.apiAddr + "/" }

// ArchiveHost returns the host and port of the archives.
func (s *Server) ArchiveHost() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.archiveHost
}

// SetArchiveHost sets the host and port in redirects to archives, such as those of
// a proxy for the archives.
func (s *Server) SetArchiveHost(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.archiveHost = host
}
