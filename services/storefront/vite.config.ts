import { defineConfig } from "vite";

export default defineConfig({
  base: "./", // works below any prefix of a gateway
  build: {
    target: "es2022",
    assetsInlineLimit: 0, // the gateway's content security policy lets in files only
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
