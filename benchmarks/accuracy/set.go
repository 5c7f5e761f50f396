package accuracy

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"edgelens"
	"edgelens/internal/clip"
	"edgelens/internal/console"
)

// Item is a labeled image.
type Item struct {
	// File is its path below the folder of the set, with slashes, or an absolute one.
	File string
	// Class is its class in the model's output.
	Class int
}

// Unmatched is an image that has no class of the model, and so is not measured.
type Unmatched struct {
	File string `json:"file"`
	// Class is what names its class; "" where nothing does.
	Class string `json:"class,omitempty"`
	// Reason is a sentence on why that is no class.
	Reason string `json:"reason"`
}

// describe is the image with what it has for a class, and the reason, on one line.
func (u Unmatched) describe() string {
	if u.Class == "" {
		return oneLine(fmt.Sprintf("%s (%s)", u.File, u.Reason))
	}
	return oneLine(fmt.Sprintf("%s (%s: %s)", u.File, u.Class, u.Reason))
}

// maxShown is the maximum length of a name in a sentence.
const maxShown = 300

// oneLine is a name of someone else's for a terminal or a report.
func oneLine(name string) string { return clip.Line(name, maxShown) }

// Set is a folder of labeled images.
type Set struct {
	Folder string
	// From is the name of the labels file; "" where sub-folders name the classes.
	From  string
	Items []Item // by file
	// Unmatched are the images that cannot be measured.
	Unmatched []Unmatched
	// Notes are sentences about what was not used.
	Notes []string
}

// labelsFiles are the names of labels files; where both exist, the last is used.
var labelsFiles = []string{"labels.csv", "labels.tsv"}

// synsetFiles are the names of files that name WordNet synsets.
var synsetFiles = []string{"synsets.txt", "synset_words.txt", "LOC_synset_mapping.txt", "imagenet_synsets.txt", "words.txt"}

// maxSynsetFile is the maximum size of such a file in bytes.
const maxSynsetFile = 16 << 20

// imageNames are the endings of files that are taken for images in class folders.
var imageNames = []string{".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}

// ReadSet reads which images of a folder have which class of a model. It opens none of the images. The error wraps
// edgelens.ErrInvalid where it is about the content of the folder.
func ReadSet(folder string, classes *Classes) (*Set, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("read the labeled images: %w; give a folder with a sub-folder for each class, or with a labels.tsv", err)
	}
	s := &Set{Folder: folder}
	if err := s.readSynsets(classes); err != nil {
		return nil, err
	}
	var folders, images, labels []string
	for _, entry := range entries {
		switch name := entry.Name(); {
		case strings.HasPrefix(name, "."):
		case isFolder(folder, entry):
			folders = append(folders, name)
		case isImageName(name):
			images = append(images, name)
		case slices.Contains(labelsFiles, name):
			labels = append(labels, name)
		}
	}
	if len(labels) > 0 {
		s.From = labels[len(labels)-1] // in the order of their names
		err = s.readFile(classes, labels, len(folders))
	} else {
		err = s.readFolders(classes, folders, images)
	}
	if err != nil {
		return nil, err
	}
	if len(s.Items)+len(s.Unmatched) == 0 {
		return nil, fmt.Errorf("%w: there are no labeled images in %s; it needs a sub-folder for each class with its images, or a labels.tsv with the columns file and class_id, class, label or synset", edgelens.ErrInvalid, folder)
	}
	slices.SortFunc(s.Items, func(a, b Item) int { return strings.Compare(a.File, b.File) })
	return s, nil
}

// isFolder also follows links.
func isFolder(parent string, entry fs.DirEntry) bool {
	if entry.Type()&fs.ModeSymlink == 0 {
		return entry.IsDir()
	}
	info, err := os.Stat(filepath.Join(parent, entry.Name()))
	return err == nil && info.IsDir()
}

func isImageName(name string) bool {
	return slices.Contains(imageNames, strings.ToLower(filepath.Ext(name)))
}

// readSynsets reads the first file that names synsets.
func (s *Set) readSynsets(classes *Classes) error {
	for _, name := range synsetFiles {
		path := filepath.Join(s.Folder, name)
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if info.Size() > maxSynsetFile {
			return fmt.Errorf("%w: %s has more than %d bytes; it should name a few thousand synsets", edgelens.ErrInvalid, name, maxSynsetFile)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read the synsets: %w", err)
		}
		s.Notes = append(s.Notes, fmt.Sprintf("%s names %d synsets of the model's classes.", name, classes.AddSynsets(string(text))))
		return nil
	}
	return nil
}

// readFile reads the labels file.
func (s *Set) readFile(classes *Classes, labels []string, folders int) error {
	path := filepath.Join(s.Folder, s.From)
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%w: %s is not a regular file", edgelens.ErrInvalid, s.From) // a pipe might never be written to
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read the labels: %w", err)
	}
	defer file.Close() // read only
	lines, repeated := map[string]Item{}, 0
	conflicts := map[string]string{}
	unused, err := readLabelsFile(file, func(r row) {
		name := cleanName(r.file)
		class, err := classOf(classes, r.names)
		known, twice := lines[name]
		switch {
		case err != nil:
			s.Unmatched = append(s.Unmatched, Unmatched{name, texts(r.names), err.Error()})
		case twice && known.Class != class:
			conflicts[name] = fmt.Sprintf("it is listed with two classes, %d and %d", known.Class, class)
		case twice:
			repeated++
		default:
			lines[name] = Item{name, class}
		}
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", s.From, err)
	}
	for _, name := range slices.Sorted(maps.Keys(conflicts)) {
		s.Unmatched = append(s.Unmatched, Unmatched{File: name, Reason: conflicts[name]})
		delete(lines, name)
	}
	s.Items = slices.Collect(maps.Values(lines))
	if folders > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("The classes are those of %s; the names of the %d %s are not used.", s.From, folders, console.Plural(folders, "sub-folder")))
	}
	if len(labels) > 1 {
		s.Notes = append(s.Notes, fmt.Sprintf("The classes are those of %s; %s is not used.", s.From, labels[0]))
	}
	if repeated > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%d %s of %s %s an image again, with the same class; each image counts once.", repeated, console.Plural(repeated, "line"), s.From, verb(repeated, "lists", "list")))
	}
	if len(unused) > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("Columns of %s that are not used: %s.", s.From, strings.Join(unused, ", ")))
	}
	return nil
}

// verb is the form of a verb for n things.
func verb(n int, singular, plural string) string {
	if n == 1 {
		return singular
	}
	return plural
}

// cleanName is the name of a file in a labels file, with slashes.
func cleanName(file string) string {
	return filepath.ToSlash(filepath.Clean(strings.ReplaceAll(file, `\`, "/")))
}

// texts joins what names a class, for a report.
func texts(names []name) string {
	var all []string
	for _, n := range names {
		all = append(all, n.text)
	}
	return strings.Join(all, ", ")
}

// classOf returns the class that all names agree on. A name that no class has does not count where another is known,
// but a number that is not one of a class does.
func classOf(classes *Classes, names []name) (int, error) {
	if len(names) == 0 {
		return 0, errors.New("it has no class")
	}
	var found []int
	var problem error
	for _, n := range names {
		class, err := classes.find(n.text, n.by)
		if err == nil {
			found = append(found, class)
		} else if n.by == byID {
			return 0, err
		} else if problem == nil {
			problem = err
		}
	}
	if len(found) == 0 {
		return 0, problem
	}
	for _, class := range found[1:] {
		if class != found[0] {
			return 0, fmt.Errorf("its columns name different classes, %d and %d", found[0], class)
		}
	}
	return found[0], nil
}

// errNotUTF8 is why an image is not measured whose name the records cannot have.
var errNotUTF8 = errors.New("its name is not UTF-8; rename it")

// readFolders reads sub-folders that are named by classes.
func (s *Set) readFolders(classes *Classes, folders, loose []string) error {
	others := 0
	byClass := map[int][]string{}
	for _, name := range folders {
		class, problem := classes.find(name, byAny)
		if problem == nil {
			byClass[class] = append(byClass[class], name)
		}
		err := filepath.WalkDir(filepath.Join(s.Folder, name)+string(filepath.Separator), func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if hidden := strings.HasPrefix(entry.Name(), "."); entry.IsDir() || hidden {
				if entry.IsDir() && hidden {
					return filepath.SkipDir
				}
				return nil
			}
			if !isImageName(entry.Name()) {
				others++
				return nil
			}
			rel, err := filepath.Rel(s.Folder, path)
			if err != nil {
				return err
			}
			unusable := problem
			if !utf8.ValidString(rel) {
				unusable = errNotUTF8
			}
			if unusable != nil {
				s.Unmatched = append(s.Unmatched, Unmatched{filepath.ToSlash(rel), name, unusable.Error()})
				return nil
			}
			s.Items = append(s.Items, Item{filepath.ToSlash(rel), class})
			return nil
		})
		if err != nil {
			return fmt.Errorf("read the labeled images: %w", err)
		}
	}
	for _, name := range loose {
		s.Unmatched = append(s.Unmatched, Unmatched{File: name, Reason: "it is in no sub-folder that names its class"})
	}
	for _, class := range slices.Sorted(maps.Keys(byClass)) {
		if names := byClass[class]; len(names) > 1 {
			s.Notes = append(s.Notes, fmt.Sprintf("The sub-folders %s are the same class, %s.", oneLine(strings.Join(names, " and ")), classes.Name(class)))
		}
	}
	if others > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%d %s in the sub-folders %s not named as images are (.jpg, .png, .webp, .bmp, .gif, .tif), and not used.", others, console.Plural(others, "file"), verb(others, "is", "are")))
	}
	return nil
}

// Check returns an ErrInvalid where no image has a class of the model.
func (s *Set) Check() error {
	if len(s.Items) > 0 {
		return nil
	}
	first := s.Unmatched[0]
	return fmt.Errorf("%w: none of the %s in %s has a class of the model; the first is %s", edgelens.ErrInvalid, counted(len(s.Unmatched), "image"), s.Folder, first.describe())
}

// Digest identifies the files and their classes.
func (s *Set) Digest() string {
	h := sha256.New()
	for _, item := range s.Items {
		fmt.Fprintf(h, "%s\x00%d\n", item.File, item.Class) // never fails
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
