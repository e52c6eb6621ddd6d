package httpapi

import (
	"bytes"
	"encoding/json"

	"github.com/gin-gonic/gin"
)

const typeJSON = "application/json"

// writeJSON responds with v: HTML unescaped, with a newline at the end.
func writeJSON(c *gin.Context, code int, v any) {
	text, err := encode(v)
	if err != nil {
		panic(err) // v is of a type that can always be encoded
	}
	c.Data(code, typeJSON, text)
}

func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return out.Bytes(), err
}
