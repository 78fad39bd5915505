// What eslint asks of the console's JavaScript: its recommended rules, and what they leave open.
import js from "@eslint/js";
import globals from "globals";

const STATIC = "sdk/background_jobs/progress_api/console/static";

export default [
  { ignores: ["**/vendor/", "**/node_modules/", ".venv/", "build/", "cdk.out/", "docs/", "tests/"] },
  js.configs.recommended,
  {
    files: [`${STATIC}/**/*.js`],
    languageOptions: { ecmaVersion: 2024, globals: globals.browser },
    rules: {
      eqeqeq: "error",
      "no-implicit-globals": "error",
      "no-restricted-syntax": [
        "error",
        {
          selector: "MemberExpression[property.name=/^(inner|outer)HTML$/]",
          message: "Strings become text (dom.js), never markup.",
        },
      ],
      "no-shadow": ["error", { builtinGlobals: false }],
      "no-unused-expressions": "error",
      "no-var": "error",
      "prefer-const": "error",
    },
  },
];
