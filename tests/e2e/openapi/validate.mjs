// validate.mjs FILE: whether it is an OpenAPI document, by the schema of its version; says what is wrong.
import { readFileSync } from 'node:fs'
import { Validator } from '@seriousme/openapi-schema-validator'

const document = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const validator = new Validator()
const found = await validator.validate(document)
if (!found.valid) {
  console.log(JSON.stringify(found.errors, null, 1))
  process.exit(1)
}
console.log(`valid OpenAPI ${validator.version}`)
