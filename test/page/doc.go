// Package page tests the page in a browser, against the program itself.
package page
