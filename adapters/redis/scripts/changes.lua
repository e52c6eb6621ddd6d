-- ARGV: user, since as ms-n, its ms, its n, limit.
local user, since, ms, n, limit = unpack(ARGV, 6, 10)
ms, n = tonumber(ms), tonumber(n)
if ms > 0 or n > 0 then
	-- Changes from before the data was created, or lost and created again, are gone.
	local born = redis.call('GET', K .. 'born')
	if not born or ms < tonumber(born) then
		return { 'gone' }
	end
	local trimmed = redis.call('HGET', K .. 'm:' .. user, 'trimmed')
	if trimmed then
		local dash = string.find(trimmed, '-', 1, true)
		local t_ms, t_n = tonumber(string.sub(trimmed, 1, dash - 1)), tonumber(string.sub(trimmed, dash + 1))
		if ms < t_ms or ms == t_ms and n < t_n then
			return { 'gone' }
		end
	end
end
return { 'found', redis.call('XRANGE', K .. 'f:' .. user, '(' .. since, '+', 'COUNT', limit) }
