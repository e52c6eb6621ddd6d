-- ARGV: id, lease in microseconds.
redis.call('ZADD', K .. 'outbox', digits(now + tonumber(ARGV[7])), ARGV[6])
