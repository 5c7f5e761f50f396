package models

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The number may come first, after an optional bullet or word ("class 3: name"), or
// last. Programs with real numbers only write it as "3.0".
var (
	numberedLine = regexp.MustCompile(`^((?:[-*•][\s\p{Z}]+)?[\[({<#№"']*(?:\p{L}+[\s\p{Z}_#.:=-]*)?)(-?(?:0[xX][0-9a-fA-F]{1,4}|[0-9０-９]{1,6}))(?:\.0)?([\])}>"'）］】]*)` + separator + `(\S.*)$`)
	lineNumbered = regexp.MustCompile(`^(\S.*?)` + separator + `([\[({<]?)([0-9０-９]{1,6})(?:\.0)?[\])}>]?$`)
)

// separator matches the text between a number and its name, which may be empty.
const separator = `([\s\p{Z}]*(?:[-=]>|-+|[:;,.=|/_–—→：；，、．。＝])?[\s\p{Z}]*)`

// strength is how certainly a separator makes a number that of a class.
type strength int

const (
	none   strength = iota // the number is a part of the name: "3D", "0.5 mm"
	weak                   // "7 of hearts", "4-wheel drive"
	strong                 // "7: hearts"
)

// numberedList is a list in which each line has a number.
type numberedList struct {
	names []numberedName
	// separated is the strength of the weakest separator.
	separated strength
	// word is true where the number of each follows the same word, such as "class".
	word bool
}

// numberedLabels returns the names with the numbers of their classes where the lines
// have such numbers, nil where they have none. The error: it is not clear whether the
// numbers are those of classes, and in the order of the lines they could give a class
// the name of another.
func numberedLabels(lines []string) ([]numberedName, error) {
	first, last := numberFirst(lines), numberLast(lines)
	switch {
	case first.separated == strong && (!first.word || first.countsFrom(0)):
		return first.names, nil
	case last.separated == strong && len(last.names) > 1 && last.counts():
		return last.names, nil
	case first.separated != none && first.counts() && !first.oneName() && !(first.word && first.inOrder()):
		return first.names, nil
	case first.separated != none && !first.inOrder() && first.plausible():
		return nil, fmt.Errorf("each line of the labels begins with a number, and the numbers are not 0 to %d in some order; number the classes so, or, where the numbers are part of the names, write the names as a JSON list", len(first.names)-1)
	case last.separated != none && last.counts() && !last.oneName() && !last.inOrder():
		return last.names, nil
	}
	return nil, nil
}

// numberFirst reads lines such as "3: name"; the zero value where one has no number.
func numberFirst(lines []string) numberedList {
	list := numberedList{separated: strong}
	var word string
	decimals := 0
	for _, line := range lines {
		if line == "" {
			continue
		}
		m := numberedLine.FindStringSubmatch(line)
		if m == nil || len(list.names) > 0 && !strings.EqualFold(m[1], word) {
			return numberedList{}
		}
		word = m[1]
		separated := strengthOf(m[4], m[5])
		if m[3] != "" { // a bracket is closed
			separated = strong
		}
		if separated == none {
			return numberedList{}
		}
		list.separated = min(list.separated, separated)
		if isDecimal(m[4], m[5]) {
			decimals++
		}
		list.names = append(list.names, numberedName{numberOf(m[2]), strings.TrimSpace(m[5])})
	}
	if len(list.names) == 0 || decimals == len(list.names) { // "0,5 l", "1,0 l"
		return numberedList{}
	}
	list.word = strings.ContainsFunc(word, unicode.IsLetter)
	return list
}

// numberLast reads lines such as "name,3"; the zero value where one has no number.
func numberLast(lines []string) numberedList {
	list := numberedList{separated: strong}
	for _, line := range lines {
		if line == "" {
			continue
		}
		m := lineNumbered.FindStringSubmatch(line)
		if m == nil {
			return numberedList{}
		}
		separated := strengthOf(m[2], "")
		if separated == none && m[3] == "" {
			return numberedList{}
		}
		if !strings.ContainsAny(m[2], ":,;=|\t>→：；，、＝") { // "No. 5", "name  5"
			separated = weak
		}
		list.separated = min(list.separated, separated)
		list.names = append(list.names, numberedName{numberOf(m[4]), strings.TrimSpace(m[1])})
	}
	if len(list.names) == 0 {
		return numberedList{}
	}
	return list
}

// strengthOf returns that of a separator in front of a name.
func strengthOf(separator, name string) strength {
	mark := strings.TrimSpace(separator)
	tight := mark == separator
	switch {
	case separator == "":
		return none
	case mark == "" && (utf8.RuneCountInString(separator) > 1 || separator == "\t"):
		return strong
	case mark == "":
		return weak
	case mark == "." && !tight:
		return strong
	case strings.Trim(mark, "-./_–—") == "": // the usual marks within names
		if tight && beginsWithDigit(name) {
			return none
		}
		return weak
	}
	return strong
}

// isDecimal reports whether a number before a name looks like one with decimals
// and a unit: "0,5 l".
func isDecimal(separator, name string) bool {
	return (separator == "," || separator == ":") && beginsWithDigit(name) && strings.Trim(name, "0123456789") != ""
}

func beginsWithDigit(name string) bool { return name != "" && '0' <= name[0] && name[0] <= '9' }

// numberOf reads digits, which may have the width of Chinese characters, or be
// hexadecimal.
func numberOf(digits string) int {
	digits = strings.Map(func(r rune) rune {
		if '０' <= r && r <= '９' {
			return r - '０' + '0'
		}
		return r
	}, digits)
	number, err := strconv.Atoi(digits)
	if err != nil {
		hexadecimal, err := strconv.ParseInt(digits, 0, 32)
		if err != nil {
			return -1 // no class has it
		}
		number = int(hexadecimal)
	}
	return number
}

// counts reports whether the numbers are 0 to n-1, or 1 to n with n > 1, in any order:
// numbers in names may have another meaning.
func (l numberedList) counts() bool {
	return l.countsFrom(0) || len(l.names) > 1 && l.countsFrom(1)
}

func (l numberedList) countsFrom(lowest int) bool {
	return l.distinct(lowest, lowest+len(l.names)-1) == len(l.names)
}

// distinct counts the different numbers from lowest to highest.
func (l numberedList) distinct(lowest, highest int) int {
	seen := make(map[int]bool, len(l.names))
	for _, n := range l.names {
		if n.number >= lowest && n.number <= highest {
			seen[n.number] = true
		}
	}
	return len(seen)
}

// inOrder reports whether each number is the one before it and one more, from 0 or 1.
func (l numberedList) inOrder() bool {
	for i, n := range l.names {
		if n.number != l.names[0].number+i {
			return false
		}
	}
	return l.names[0].number == 0 || l.names[0].number == 1
}

// oneName reports whether the numbers alone make the names differ: "2 fingers".
func (l numberedList) oneName() bool { return len(l.names) > 1 && l.differentNames() == 1 }

func (l numberedList) differentNames() int {
	seen := make(map[string]bool, len(l.names))
	for _, n := range l.names {
		seen[strings.ToLower(n.name)] = true
	}
	return len(seen)
}

// plausible reports whether the numbers may well be those of classes though they do
// not count: most are different ones within the list, and so are the names.
func (l numberedList) plausible() bool {
	n := len(l.names)
	return 2*l.distinct(0, n) > n && 2*l.differentNames() > n
}
