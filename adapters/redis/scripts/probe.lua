-- Tells the epoch, how many changes there were and what time it is. It writes,
-- so that what can't be written is noticed.
redis.call('SET', K .. 'seen', digits(now))
name_data()
return { redis.call('GET', K .. 'epoch'), redis.call('GET', K .. 'count') or '0', digits(clock) }
