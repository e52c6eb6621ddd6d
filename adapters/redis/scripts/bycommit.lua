-- ARGV: repository, at most, commits.
local seen, ids = {}, {}
for i = 8, #ARGV do
	local commit = ARGV[i]
	for _, member in ipairs(redis.call('ZRANGEBYLEX', K .. 'x:' .. ARGV[6], '[' .. commit .. ' ', '(' .. commit .. '!')) do
		local id = string.sub(member, #commit + 2)
		if not seen[id] then
			seen[id] = tonumber(redis.call('HGET', entry(id), 'order') or 0)
			ids[#ids + 1] = id
		end
	end
end
table.sort(ids, function(a, b) return seen[a] > seen[b] end)
local found = {}
for i = 1, math.min(#ids, tonumber(ARGV[7])) do
	found[i] = stored(ids[i])
end
return found
