package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// apiFile is the file in a module that lists its API as it was when the version began:
// a line for each exported name.
const apiFile = "api.txt"

// apiFolders are the folders whose API other programs use: the providers with all
// below them, and the package core, whose types they have.
var apiFolders = []struct { //nolint:gochecknoglobals // a constant
	dir   string
	below bool
}{{"core", false}, {"providers", true}}

// checkAPI compares the API with what it was when the version began. What vanished or
// changed must be in the changelog; what is new breaks no program.
func (w *workspace) checkAPI() []error {
	_, section, err := w.changelog()
	if err != nil {
		return []error{err}
	}
	var problems []error
	for _, folder := range apiFolders {
		name := folder.dir + "/" + apiFile
		known, err := os.ReadFile(filepath.Join(w.root, name))
		if err != nil {
			problems = append(problems, fmt.Errorf("%w: write it with release set %s", err, w.version()))
			continue
		}
		api, err := w.api(folder.dir, folder.below)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		for line := range strings.Lines(string(known)) {
			line = strings.TrimSuffix(line, "\n")
			if changed, _, _ := strings.Cut(line, " "); !slices.Contains(api, line) && !mentioned(section, changed) {
				problems = append(problems, fmt.Errorf("%s: %q is no longer so: say in the section of %s in CHANGELOG.md what became of `%s`", name, line, w.version(), changed))
			}
		}
	}
	return problems
}

// mentioned reports whether a text has a name in backticks, or that of what it is in.
func mentioned(text, name string) bool {
	for name != "" {
		if strings.Contains(text, "`"+name+"`") {
			return true
		}
		name = name[:max(strings.LastIndexByte(name, '.'), 0)]
	}
	return false
}

// writeAPI writes the lists of the API.
func (w *workspace) writeAPI() error {
	for _, folder := range apiFolders {
		api, err := w.api(folder.dir, folder.below)
		if err != nil {
			return err
		}
		if err := w.write(folder.dir+"/"+apiFile, []byte(strings.Join(append(api, ""), "\n"))); err != nil {
			return err
		}
	}
	return nil
}

// api lists the exported names of the packages in a folder of the workspace, in
// order.
func (w *workspace) api(dir string, below bool) ([]string, error) {
	var all []string
	err := filepath.WalkDir(filepath.Join(w.root, dir), func(name string, d fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(w.root, name)
		switch {
		case errors.Join(err, relErr) != nil:
			return errors.Join(err, relErr)
		case !d.IsDir() && strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			for _, decl := range file.Decls {
				all = append(all, declared(path.Base(filepath.ToSlash(filepath.Dir(rel))), decl)...)
			}
		case d.IsDir() && rel != filepath.FromSlash(dir) && (!below || d.Name() == "internal" || d.Name() == "testdata"):
			return filepath.SkipDir
		}
		return nil
	})
	slices.Sort(all)
	return all, err
}

// declared returns a line for each exported name of a declaration.
func declared(pkg string, decl ast.Decl) []string {
	if f, is := decl.(*ast.FuncDecl); is {
		switch {
		case !f.Name.IsExported():
			return nil
		case f.Recv == nil:
			return []string{pkg + "." + f.Name.Name + " func" + signature(f.Type)}
		}
		receiver := text(f.Recv.List[0].Type)
		if base := strings.TrimPrefix(receiver, "*"); ast.IsExported(base) {
			return []string{pkg + "." + base + "." + f.Name.Name + " method (" + receiver + ")" + signature(f.Type)}
		}
		return nil
	}
	var all []string
	general, _ := decl.(*ast.GenDecl)
	for _, spec := range general.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() {
				all = append(all, typeLines(pkg+"."+spec.Name.Name, spec)...)
			}
		case *ast.ValueSpec:
			for i, name := range spec.Names {
				if !name.IsExported() {
					continue
				}
				line := pkg + "." + name.Name + " " + general.Tok.String()
				if spec.Type != nil {
					line += " " + text(spec.Type)
				}
				if general.Tok == token.CONST && i < len(spec.Values) {
					line += " = " + text(spec.Values[i])
				}
				all = append(all, line)
			}
		}
	}
	return all
}

// typeLines returns the lines of a type: of a struct one for each exported field, as
// more fields break no program; of an interface one with all methods, as one more does.
func typeLines(name string, spec *ast.TypeSpec) []string {
	equals := ""
	if spec.Assign.IsValid() {
		equals = "= "
	}
	switch t := spec.Type.(type) {
	case *ast.StructType:
		all := []string{name + " type " + equals + "struct"}
		for _, field := range t.Fields.List {
			kind := text(field.Type)
			for _, n := range field.Names {
				if n.IsExported() {
					all = append(all, name+"."+n.Name+" field "+kind)
				}
			}
			if embedded := strings.TrimPrefix(kind[strings.LastIndexByte(kind, '.')+1:], "*"); len(field.Names) == 0 && ast.IsExported(embedded) {
				all = append(all, name+"."+embedded+" embedded "+kind)
			}
		}
		return all
	case *ast.InterfaceType:
		var methods []string
		for _, m := range t.Methods.List {
			if f, is := m.Type.(*ast.FuncType); is {
				methods = append(methods, m.Names[0].Name+signature(f))
			} else {
				methods = append(methods, text(m.Type))
			}
		}
		slices.Sort(methods)
		return []string{name + " type " + equals + "interface { " + strings.Join(methods, "; ") + " }"}
	}
	return []string{name + " type " + equals + text(spec.Type)}
}

// signature returns the type of a function without the names of its parameters.
func signature(f *ast.FuncType) string {
	results := types(f.Results)
	signature := "(" + strings.Join(types(f.Params), ", ") + ")"
	if len(results) > 0 {
		signature += " (" + strings.Join(results, ", ") + ")"
	}
	return signature
}

// types returns the types of parameters.
func types(list *ast.FieldList) []string {
	var all []string
	if list == nil {
		return nil
	}
	for _, field := range list.List {
		all = append(all, slices.Repeat([]string{text(field.Type)}, max(len(field.Names), 1))...)
	}
	return all
}

// text returns the source of an expression in one line.
func text(e ast.Expr) string {
	var b strings.Builder
	if err := printer.Fprint(&b, token.NewFileSet(), e); err != nil {
		return err.Error() // the writer does not fail, and an expression can be printed
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
