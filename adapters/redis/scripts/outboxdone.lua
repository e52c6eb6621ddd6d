-- ARGV: id.
redis.call('ZREM', K .. 'outbox', ARGV[6])
