package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// envPrefix begins the name of every environment variable of this program: the
// flag --github-url is WEBHOOKS_GITHUB_URL.
const envPrefix = "WEBHOOKS_"

// Settings are the flags of a command that are settings, and their values.
type Settings struct {
	flags  *pflag.FlagSet
	file   string // path of the settings file
	config Config
	names  []string // in the order of their declaration
	checks []func() error
}

// Declare adds a flag for every setting, and --config, to flags.
func Declare(flags *pflag.FlagSet) *Settings {
	s := &Settings{flags: flags}
	flags.StringVar(&s.file, "config", "", "YAML file of settings; its keys are the names of these flags")
	s.declare()
	return s
}

// declare adds one setting, whose kind is the type of its value. A nil check
// passes every value.
func declare[T any](s *Settings, p *T, name string, value T, check func(T) error, help string) {
	switch p := any(p).(type) {
	case *string:
		s.flags.StringVar(p, name, any(value).(string), help)
	case *bool:
		s.flags.BoolVar(p, name, any(value).(bool), help)
	case *int:
		s.flags.IntVar(p, name, any(value).(int), help)
	case *time.Duration:
		s.flags.DurationVar(p, name, any(value).(time.Duration), help)
	case *[]string:
		s.flags.StringSliceVar(p, name, any(value).([]string), help)
	case *[]time.Duration:
		s.flags.DurationSliceVar(p, name, any(value).([]time.Duration), help)
	default:
		panic(fmt.Sprintf("config: setting %s has the type %T", name, p))
	}
	s.names = append(s.names, name)
	if check != nil {
		s.checks = append(s.checks, func() error {
			if err := check(*p); err != nil {
				return fmt.Errorf("--%s: %w", name, err)
			}
			return nil
		})
	}
}

// Show hides all flags of settings from the help text but those named. They are
// accepted nevertheless, so that every command can use the same settings file.
func (s *Settings) Show(names ...string) {
	for _, name := range s.names {
		s.flags.Lookup(name).Hidden = !slices.Contains(names, name)
	}
}

// Load returns the values of the settings after the flags were parsed: flags
// over environ over the settings file. It reports all problems that it finds.
func (s *Settings) Load(environ []string) (Config, error) {
	if s.file == "" {
		s.file = Variable(environ, "CONFIG")
	}
	var problems []error
	set := map[string]bool{}
	s.flags.Visit(func(f *pflag.Flag) { set[f.Name] = true })
	for _, name := range s.names {
		text, ok := Lookup(environ, variableOf(name))
		if !ok || set[name] {
			continue
		}
		set[name] = true
		if err := s.flags.Lookup(name).Value.Set(text); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", variableOf(name), err))
		}
	}
	problems = append(problems, s.mistyped(environ)...)
	problems = append(problems, s.loadFile(set)...)
	if len(problems) == 0 { // else the values are incomplete
		s.config.deriveFromDomain(set)
		for _, check := range s.checks {
			if err := check(); err != nil {
				problems = append(problems, err)
			}
		}
		problems = append(problems, s.config.validate()...)
	}
	if len(problems) > 0 {
		return Config{}, fmt.Errorf("invalid settings:\n%w", errors.Join(problems...))
	}
	return s.config, nil
}

// loadFile sets what the settings file has and what is not set already.
func (s *Settings) loadFile(set map[string]bool) []error {
	if s.file == "" {
		return nil
	}
	text, err := os.ReadFile(s.file)
	if err != nil {
		return []error{fmt.Errorf("settings file: %w", err)}
	}
	var values map[string]yaml.Node
	if err := yaml.Unmarshal(text, &values); err != nil {
		return []error{fmt.Errorf("settings file %s: %w", s.file, err)}
	}
	var problems []error
	for name, node := range values {
		switch {
		case !slices.Contains(s.names, name):
			err = fmt.Errorf("unknown setting%s", didYouMean(name, s.names, func(n string) string { return n }))
		case !set[name]:
			err = setNode(s.flags.Lookup(name).Value, node)
		default:
			err = nil
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s:%d: %s: %w", s.file, node.Line, name, err))
		}
	}
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return problems
}

// setNode sets a value to a scalar of the file or, for a list, to a sequence.
func setNode(value pflag.Value, node yaml.Node) error {
	list, isList := value.(pflag.SliceValue)
	switch {
	case node.Kind == yaml.ScalarNode && node.Tag != "!!null":
		return value.Set(node.Value)
	case node.Kind == yaml.SequenceNode && isList:
		var texts []string
		for _, element := range node.Content {
			if element.Kind != yaml.ScalarNode {
				return errors.New("want a list of plain values")
			}
			texts = append(texts, element.Value)
		}
		return list.Replace(texts)
	case isList:
		return errors.New("want a value or a list of values")
	}
	return errors.New("want a value")
}

// Values returns the settings in the order of their declaration, each with its
// value as text. No value is a secret: those are in files of their own.
func (s *Settings) Values() [][2]string {
	var all [][2]string
	for _, name := range s.names {
		value := s.flags.Lookup(name).Value.String()
		all = append(all, [2]string{name, strings.TrimSuffix(strings.TrimPrefix(value, "["), "]")})
	}
	return all
}

// Variable returns the value of the program's environment variable of that name
// without the prefix, or "".
func Variable(environ []string, name string) string {
	value, _ := Lookup(environ, envPrefix+name)
	return value
}

// Lookup returns the value of a variable; the last one counts, as in os/exec.
func Lookup(environ []string, name string) (value string, ok bool) {
	for _, pair := range environ {
		if key, text, _ := strings.Cut(pair, "="); key == name {
			value, ok = text, true
		}
	}
	return value, ok
}

func variableOf(name string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}
