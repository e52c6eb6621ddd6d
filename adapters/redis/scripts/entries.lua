-- ARGV: user, or user/app; skip, limit.
local key, skip, limit = K .. 'u:' .. ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])
local page = {}
if limit > 0 then
	for i, id in ipairs(redis.call('ZREVRANGE', key, skip, skip + limit - 1)) do
		page[i] = stored(id)
	end
end
return { redis.call('ZCARD', key), page }
