-- ARGV: user or '', repository, at most of each user, commits.
local user, index, limit = ARGV[6], K .. 'x:' .. ARGV[7], tonumber(ARGV[8])
local seen, entries = {}, {}
for i = 9, #ARGV do
	local commit = ARGV[i]
	for _, member in ipairs(redis.call('ZRANGEBYLEX', index, '[' .. commit .. ' ', '(' .. commit .. '!')) do
		local id = string.sub(member, #commit + 2)
		if not seen[id] then
			seen[id] = true
			local e = redis.call('HMGET', entry(id), 'user', 'order')
			if e[1] and (user == '' or e[1] == '' or e[1] == user) then
				entries[#entries + 1] = { id = id, user = e[1], order = tonumber(e[2]) }
			end
		end
	end
end
table.sort(entries, function(a, b) return a.order > b.order end)
local found, of_user = {}, {}
for _, e in ipairs(entries) do
	of_user[e.user] = (of_user[e.user] or 0) + 1
	if of_user[e.user] <= limit then
		found[#found + 1] = stored(e.id)
	end
end
return found
