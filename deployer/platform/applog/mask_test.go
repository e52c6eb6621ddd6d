package applog

import "testing"

func TestMask(t *testing.T) {
	t.Parallel()
	m := NewMask(map[string]string{
		"DB_PASSWORD": "correct horse", "sessionSecret": `quo"ted\n`, "GITHUB_TOKEN": "ghp_1234567890",
		"PRIVATE_KEY":  "-----BEGIN KEY-----\r\nMIIEvQIBADAN\nend\n-----END KEY-----\n",
		"DATABASE_URL": "postgres://app:p%40ss%2Fword@db.internal:5432/app?x=a@b",
		"CACHE":        "redis://:longer-pass@10.0.0.1", "SENTRY_DSN": "https://0123456789abcdef0123@sentry.example/1",
		"REGISTRY": "https://postgres@registry.example", "PIN_KEY": "1234", "NAME": "horse", "GREETING": "hello there",
	}, map[string]string{"REGION_SECRET": "shared by all"})
	for text, want := range map[string]string{
		"using correct horse, a horse":              "using ***, a horse",
		`{"sessionSecret":"quo\"ted\\n"}`:           `{"sessionSecret":"***"}`,
		`quo"ted\n`:                                 "***",
		"token=ghp_1234567890;":                     "token=***;",
		"MIIEvQIBADAN":                              "***",
		`"-----BEGIN KEY-----\r\nMIIEvQIBADAN\n"`:   `"***\r\n***\n"`,
		"postgres://app:p%40ss%2Fword@db.internal":  "postgres://app:***@db.internal",
		"password is p@ss/word":                     "password is ***",
		"redis://:longer-pass@10.0.0.1":             "redis://:***@10.0.0.1",
		"https://0123456789abcdef0123@sentry":       "https://***@sentry",
		"shared by all, hello there":                "***, hello there",
		"1234 postgres":                             "1234 postgres",
		"GET https://u:pw@host/path?m=a@b":          "GET https://u:***@host/path?m=a@b",
		"mongodb://u:a@b:c@h1,h2/db":                "mongodb://u:***@h1,h2/db",
		"http://localhost:3000 by me@example.org":   "http://localhost:3000 by me@example.org",
		`{"at":"http://localhost:3000","by":"a@b"}`: `{"at":"http://localhost:3000","by":"a@b"}`,
		"http://localhost:3000/x@y:z@":              "http://localhost:3000/x@y:z@",
		"":                                          "",
	} {
		if got := m.Apply(text); got != want {
			t.Errorf("apply(%q) = %q, want %q", text, got, want)
		}
	}
}
