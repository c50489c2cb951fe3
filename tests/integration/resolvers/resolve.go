// SPDX-License-Identifier: MIT

// As resolve.c; GODEBUG=netdns=go or cgo chooses the resolver.
package main

import (
	"fmt"
	"net"
	"os"
)

func main() {
	for _, name := range os.Args[1:] {
		found, err := net.LookupHost(name)
		for _, address := range found {
			fmt.Println(name, address)
		}
		if err != nil {
			fmt.Println(name, "error", err)
		}
	}
}
