-- ARGV: user/app, the newest entry that joined it. What is here stays where it
-- is newer.
local key, id = K .. 'a:' .. ARGV[6], ARGV[7]
local known = redis.call('GET', key)
if known and known > id then
	return
end
redis.call('SET', key, id, 'PX', keep)
