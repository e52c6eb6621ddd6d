-- ARGV: 1 when a store is started, else 0.
--
-- Returns the epoch, the number of all changes, the time of Redis, when the newest
-- entry was accepted, now, and 1 if Redis was restarted with its append-only file since
-- the last call, else 0. It writes, so it fails if Redis can't be written.
redis.call('SET', K .. 'seen', digits(now))
local info = redis.call('INFO', 'server', 'persistence')
local process, before = string.match(info, 'run_id:(%w+)'), redis.call('HGET', K .. 'last', 'process')
if process and process ~= before then
	redis.call('HSET', K .. 'last', 'process', process)
end
local restarted = before and process ~= before and string.find(info, 'aof_enabled:1', 1, true)
name_data()
if ARGV[6] == '1' then
	skip_orders()
end
return { redis.call('GET', K .. 'epoch'), redis.call('GET', K .. 'count') or '0', digits(clock),
	redis.call('HGET', K .. 'last', 'accepted') or '0', digits(now), restarted and '1' or '0' }
