// Gogate answers, one line of JSON at a time, whether the code of Go's own checksum database accepts our evidence.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type question struct {
	Vkey, Note string      // a note and the key that should have signed it
	Entry      []byte      // an entry, at Index of the tree, by Path
	Path       []tlog.Hash // for an entry, or from the old tree to the new one
	Index      int64
	Old, New   tlog.Tree
}

func answer(q question) error {
	switch {
	case q.Note != "":
		verifier, err := note.NewVerifier(q.Vkey)
		if err != nil {
			return err
		}
		_, err = note.Open([]byte(q.Note), note.VerifierList(verifier))
		return err
	case q.Entry != nil:
		return tlog.CheckRecord(q.Path, q.New.N, q.New.Hash, q.Index, tlog.RecordHash(q.Entry))
	default:
		return tlog.CheckTree(q.Path, q.New.N, q.New.Hash, q.Old.N, q.Old.Hash)
	}
}

func main() {
	for lines := json.NewDecoder(os.Stdin); lines.More(); {
		var q question
		if err := lines.Decode(&q); err != nil {
			panic(err)
		}
		fmt.Println(answer(q) == nil)
	}
}
