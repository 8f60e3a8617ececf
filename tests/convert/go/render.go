// Renders templates with Go's own text/template, given what Ollama gives them.
//
// Standard input: {"cases": [{"template": "...", "conversations": [[{"role": "user",
// "content": "..."}]]}]}. Standard output: a JSON list of lists of prompts.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/template"
)

type turn struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type job struct {
	Cases []struct {
		Template      string   `json:"template"`
		Conversations [][]turn `json:"conversations"`
	} `json:"cases"`
}

// joined puts turns of one role in a row together and collects the system's, as the
// server does before it executes a template.
func joined(turns []turn) (string, []*turn) {
	var told []string
	var rows []*turn
	for i := range turns {
		if turns[i].Role == "system" {
			told = append(told, turns[i].Content)
		}
		if n := len(rows); n > 0 && rows[n-1].Role == turns[i].Role {
			rows[n-1].Content += "\n\n" + turns[i].Content
			continue
		}
		row := turns[i]
		rows = append(rows, &row)
	}
	return strings.Join(told, "\n\n"), rows
}

func main() {
	var work job
	if err := json.NewDecoder(os.Stdin).Decode(&work); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	written := [][]string{}
	for _, c := range work.Cases {
		parsed, err := template.New("").Option("missingkey=zero").Parse(c.Template)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		prompts := []string{}
		for _, conversation := range c.Conversations {
			told, rows := joined(conversation)
			var prompt strings.Builder
			values := map[string]any{"System": told, "Messages": rows, "Response": ""}
			if err := parsed.Execute(&prompt, values); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			prompts = append(prompts, prompt.String())
		}
		written = append(written, prompts)
	}
	if err := json.NewEncoder(os.Stdout).Encode(written); err != nil {
		os.Exit(1)
	}
}
