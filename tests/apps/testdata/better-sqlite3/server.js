const http = require('node:http')
const Database = require('better-sqlite3')

const db = new Database(process.env.DATA_DIR + '/app.db')
db.pragma('journal_mode = WAL') // two versions have it open during a deployment
db.exec('create table if not exists notes (text text)')

http.createServer((req, res) => {
  if (req.method === 'POST') {
    db.prepare('insert into notes values (?)').run(req.url.slice(1))
  }
  res.end(db.prepare('select text from notes').all().map((row) => row.text).join())
}).listen(process.env.PORT)
