// Renders chart templates with Go's own text/template, the engine inside Helm, where no helm is at hand.
// Standard input: {"Values": ..., "Release": ...}. Arguments: template files. Only the functions below exist here, so
// the chart uses no others.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"text/template"
)

func main() {
	var given map[string]any
	reader := json.NewDecoder(os.Stdin)
	reader.UseNumber()
	if err := reader.Decode(&given); err != nil {
		fail(err)
	}
	functions := template.FuncMap{
		"quote":  func(value any) string { return strconv.Quote(fmt.Sprint(value)) },
		"toJson": func(value any) (string, error) { out, err := json.Marshal(value); return string(out), err },
	}
	for _, file := range os.Args[1:] {
		made, err := template.New(filepath.Base(file)).Funcs(functions).Option("missingkey=error").ParseFiles(file)
		if err != nil {
			fail(err)
		}
		if err := made.Execute(os.Stdout, given); err != nil {
			fail(err)
		}
		fmt.Println("\n---")
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
