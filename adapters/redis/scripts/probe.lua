-- Tells the epoch and how many changes there were. It writes, so that what
-- can't be written is noticed.
redis.call('SET', K .. 'seen', digits(now))
name_data()
return { redis.call('GET', K .. 'epoch'), redis.call('GET', K .. 'count') or '0' }
