declare const require: any, process: any
const ms = require('ms')
const answer = (value: number): string => `${ms('1s') + value} by ${process.env.BUILT_BY ?? 'no user'}`
require('http').createServer((_: unknown, res: any) => res.end(answer(41))).listen(process.env.PORT)
