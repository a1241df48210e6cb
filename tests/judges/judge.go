// A judge that we did not write: golang.org/x/mod/sumdb reads, checks and makes what src/lifecycle/ledger does.
// Cases come as lines of JSON on standard input; each is answered by a line of JSON.
package main

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type question struct {
	Op        string
	Note      []byte
	Text      []byte
	Keys      []string
	Cosigners []cosigner
	Leaves    [][]byte
	Leaf      []byte
	Same      []byte
	Proof     [][]byte
	Old, Size int64
	Index     int64
	OldRoot   []byte
	Root      []byte
	Level     int
	Width     int
	Path      string
	Tiles     map[string][]byte
}

type cosigner struct {
	Name   string
	ID     uint32
	Public []byte
}

type answer struct {
	OK     bool
	Error  string
	Text   []byte   `json:",omitempty"`
	Note   []byte   `json:",omitempty"`
	Root   []byte   `json:",omitempty"`
	Proof  [][]byte `json:",omitempty"`
	Paths  []string `json:",omitempty"`
	Signed []string `json:",omitempty"`
	Size   int64    `json:",omitempty"`
}

func main() {
	in, out := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		said := judge(line)
		written, err := json.Marshal(said)
		if err != nil {
			panic(err)
		}
		out.Write(append(written, '\n'))
		out.Flush()
	}
}

func judge(line []byte) (said answer) {
	defer func() {
		if fault := recover(); fault != nil {
			said = answer{Error: fmt.Sprint("panic: ", fault)}
		}
	}()
	var q question
	if err := json.Unmarshal(line, &q); err != nil {
		return answer{Error: "question: " + err.Error()}
	}
	said, err := map[string]func(question) (answer, error){
		"open": open, "sign": sign, "key": key, "checkpoint": checkpoint, "root": root, "inclusion": inclusion, "consistency": consistency,
		"prove-inclusion": proveInclusion, "prove-consistency": proveConsistency, "tile-path": tilePath, "parse-path": parsePath,
		"new-tiles": newTiles, "from-tiles": fromTiles,
	}[q.Op](q)
	said.OK = err == nil
	if err != nil {
		said.Error = err.Error()
	}
	return said
}

func open(q question) (answer, error) {
	var known []note.Verifier
	for _, vkey := range q.Keys {
		v, err := note.NewVerifier(vkey)
		if err != nil {
			return answer{}, err
		}
		known = append(known, v)
	}
	for _, c := range q.Cosigners {
		known = append(known, c.verifier())
	}
	n, err := note.Open(q.Note, note.VerifierList(known...))
	if err != nil {
		return answer{}, err
	}
	var signed []string
	for _, s := range n.Sigs {
		signed = append(signed, s.Name)
	}
	return answer{Text: []byte(n.Text), Signed: signed}, nil
}

// A cosigner's verifier does what c2sp.org/tlog-cosignature says; x/mod only knows plain Ed25519.
type cosigning struct{ c cosigner }

func (c cosigner) verifier() note.Verifier { return cosigning{c} }
func (v cosigning) Name() string           { return v.c.Name }
func (v cosigning) KeyHash() uint32        { return v.c.ID }
func (v cosigning) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	said := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), msg)
	return ed25519.Verify(v.c.Public, []byte(said), sig[8:])
}

func sign(q question) (answer, error) {
	var signers []note.Signer
	for _, skey := range q.Keys {
		s, err := note.NewSigner(skey)
		if err != nil {
			return answer{}, err
		}
		signers = append(signers, s)
	}
	signed, err := note.Sign(&note.Note{Text: string(q.Text)}, signers...)
	return answer{Note: signed}, err
}

func key(q question) (answer, error) {
	_, err := note.NewVerifier(q.Keys[0])
	return answer{}, err
}

// x/mod reads the three lines of a checkpoint when the first is its own database's name.
func checkpoint(q question) (answer, error) {
	cut := bytes.IndexByte(q.Text, '\n')
	if cut <= 0 {
		return answer{}, fmt.Errorf("no origin")
	}
	tree, err := tlog.ParseTree(append([]byte("go.sum database tree"), q.Text[cut:]...))
	return answer{Size: tree.N, Root: tree.Hash[:]}, err
}

func reader(q question) (tlog.HashReader, int64, error) {
	if q.Same != nil {
		return same(hash(q.Same)), q.Size, nil
	}
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, i := range indexes {
			found = append(found, stored[i])
		}
		return found, nil
	})
	for i, leaf := range q.Leaves {
		more, err := tlog.StoredHashesForRecordHash(int64(i), hash(leaf), read)
		if err != nil {
			return nil, 0, err
		}
		stored = append(stored, more...)
	}
	return read, int64(len(q.Leaves)), nil
}

// A tree of any size whose leaves are all the same: one hash a level.
func same(leaf tlog.Hash) tlog.HashReader {
	levels := []tlog.Hash{leaf}
	for len(levels) < 63 {
		last := levels[len(levels)-1]
		levels = append(levels, tlog.NodeHash(last, last))
	}
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, i := range indexes {
			level, _ := tlog.SplitStoredHashIndex(i)
			found = append(found, levels[level])
		}
		return found, nil
	})
}

func root(q question) (answer, error) {
	r, size, err := reader(q)
	if err != nil {
		return answer{}, err
	}
	h, err := tlog.TreeHash(size, r)
	return answer{Root: h[:]}, err
}

func inclusion(q question) (answer, error) {
	p, err := hashes(q.Proof, q.Root, q.Leaf)
	if err != nil {
		return answer{}, err
	}
	return answer{}, tlog.CheckRecord(p, q.Size, hash(q.Root), q.Index, hash(q.Leaf))
}

func consistency(q question) (answer, error) {
	p, err := hashes(q.Proof, q.Root, q.OldRoot)
	if err != nil {
		return answer{}, err
	}
	return answer{}, tlog.CheckTree(p, q.Size, hash(q.Root), q.Old, hash(q.OldRoot))
}

func proveInclusion(q question) (answer, error) {
	r, size, err := reader(q)
	if err != nil {
		return answer{}, err
	}
	p, err := tlog.ProveRecord(size, q.Index, r)
	return answer{Proof: raw(p)}, err
}

func proveConsistency(q question) (answer, error) {
	r, size, err := reader(q)
	if err != nil {
		return answer{}, err
	}
	p, err := tlog.ProveTree(size, q.Old, r)
	return answer{Proof: raw(p)}, err
}

// c2sp.org/tlog-tiles leaves out the height, which is always 8, from x/mod's paths.
func path(t tlog.Tile) string { return strings.Replace(t.Path(), "tile/8/", "tile/", 1) }

func tilePath(q question) (answer, error) {
	return answer{Paths: []string{path(tlog.Tile{H: 8, L: q.Level, N: q.Index, W: q.Width})}}, nil
}

func parsePath(q question) (answer, error) {
	t, err := tlog.ParseTilePath(strings.Replace(q.Path, "tile/", "tile/8/", 1))
	if err != nil || t.L != q.Level || t.N != q.Index || t.W != q.Width {
		return answer{}, fmt.Errorf("another tile: %v", err)
	}
	return answer{}, nil
}

func newTiles(q question) (answer, error) {
	var paths []string
	for _, t := range tlog.NewTiles(8, q.Old, q.Size) {
		paths = append(paths, path(t))
	}
	return answer{Paths: paths}, nil
}

type tiles map[string][]byte

func (tiles) Height() int                         { return 8 }
func (tiles) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (held tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, t := range wanted {
		data, ok := held[path(t)]
		if !ok {
			return nil, fmt.Errorf("no tile %s", path(t))
		}
		found = append(found, data)
	}
	return found, nil
}

// Our tiles, read against our root by x/mod, which checks each hash against it, and a proof made from them.
func fromTiles(q question) (answer, error) {
	if _, err := hashes(nil, q.Root); err != nil {
		return answer{}, err
	}
	r := tlog.TileHashReader(tlog.Tree{N: q.Size, Hash: hash(q.Root)}, tiles(q.Tiles))
	p, err := tlog.ProveRecord(q.Size, q.Index, r)
	return answer{Proof: raw(p)}, err
}

func hashes(given [][]byte, others ...[]byte) (found []tlog.Hash, err error) {
	for _, h := range append(append([][]byte{}, given...), others...) {
		if len(h) != tlog.HashSize {
			return nil, fmt.Errorf("a hash of %d bytes: %s", len(h), base64.StdEncoding.EncodeToString(h))
		}
	}
	for _, h := range given {
		found = append(found, hash(h))
	}
	return found, nil
}

func hash(b []byte) (h tlog.Hash) {
	copy(h[:], b)
	return h
}

func raw(p []tlog.Hash) (found [][]byte) {
	for i := range p {
		found = append(found, p[i][:])
	}
	return found
}
