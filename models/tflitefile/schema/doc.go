// Package schema is generated from schema.fbs: accessors for the tables of a
// .tflite file. They trust what they read, so only package tflitefile, which
// checks a file first, uses them.
package schema
