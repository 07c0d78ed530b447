using System.Globalization;
using System.Text;

namespace Decant.Agent.Balancers;

/// <summary>
/// What HAProxy's runtime API answers, read by the names in its headers and never by position: columns come and go with versions
/// (management guide, sections 9.1 and 9.3). Throws <see cref="FormatException"/> for what is no such answer.
/// </summary>
internal static class HaproxyReplies
{
    private const string BackendRow = "1";
    private const string ServerRow = "2";
    /// <summary>TIME_STATS_SAMPLES in HAProxy's include/haproxy/defaults.h.</summary>
    private const int ResponseTimeWindow = 512;

    /// <summary>A weight is at most 256 (management guide, "set server … weight"), of a base weight of at least 1.</summary>
    private const int MaxWeight = 25_600;

    private static readonly string[] Classes = ["hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other"];

    /// <summary>SRV_ADMF_FMAINT, IMAINT, RMAINT. (CMAINT only remembers that the configuration once said so.)</summary>
    private const int MaintenanceFlags = 0x01 | 0x02 | 0x20;

    /// <summary>SRV_ADMF_FDRAIN, IDRAIN.</summary>
    private const int DrainFlags = 0x08 | 0x10;

    /// <summary><c>show info</c>: name and value of each line.</summary>
    public static IReadOnlyDictionary<string, string> Info(string reply)
    {
        var info = new Dictionary<string, string>();
        foreach (var line in Lines(reply))
        {
            var colon = line.IndexOf(": ", StringComparison.Ordinal);
            if (colon > 0) info[line[..colon]] = line[(colon + 2)..].Trim();
        }

        if (!info.ContainsKey("Version") || !info.ContainsKey("Pid")) throw NotAnAnswer("show info", reply);
        return info;
    }

    /// <summary><c>show stat</c>: the names of the backends.</summary>
    public static IReadOnlyList<string> Backends(string reply)
        => [.. Stat(reply).Where(r => Text(r, "type") == BackendRow).Select(r => Text(r, "pxname"))];

    /// <summary><c>show stat</c> and <c>show servers state</c> of one backend; null when it is not there.</summary>
    public static Backend? Backend(string name, string stat, string serversState)
    {
        var rows = Stat(stat).Where(r => Text(r, "pxname") == name).ToList();
        if (!rows.Exists(r => Text(r, "type") == BackendRow)) return null;
        var states = States(name, serversState);
        return new Backend(
            name,
            [.. rows.Where(r => Text(r, "type") == ServerRow).Select(r => ToMember(r, states.GetValueOrDefault(Text(r, "svname"))))],
            CountsAnswers: true);
    }

    /// <summary>Whether an answer to a command that changes something says that it was done: HAProxy is silent then.</summary>
    public static bool IsDone(string reply) => string.IsNullOrWhiteSpace(reply);

    /// <summary>Whether the answer to <c>show stat BACKEND</c> says that there is none of that name.</summary>
    public static bool IsNoSuchBackend(string reply) => reply.TrimStart().StartsWith("No such proxy", StringComparison.Ordinal);

    private static Member ToMember(Dictionary<string, string> row, ServerState state)
    {
        var status = Text(row, "status");
        var name = Text(row, "svname");
        return new Member
        {
            Name = name,
            Address = Text(row, "addr"),
            State = StateOf(status, state.Flags),
            Status = status,
            Weight = state.Weight,
            Sessions = Count(row, "scur"),
            Queued = Count(row, "qcur"),
            SessionsTotal = Number(row, "stot"),
            Responses5xx = Number(row, "hrsp_5xx"),
            ConnectionErrors = Number(row, "econ"),
            ResponseErrors = Number(row, "eresp"),
            ResponsesTotal = Classes.Sum(c => Number(row, c)),
            ResponseTimeMs = Number(row, "rtime"),
            ResponseTimeWindow = ResponseTimeWindow,
            LastCheck = LastCheck(row),
        };
    }

    /// <summary>A member that is down says DOWN also while it drains: the flags know better than the word.</summary>
    private static MemberState StateOf(string status, int flags)
    {
        if ((flags & MaintenanceFlags) != 0 || status.StartsWith("MAINT", StringComparison.Ordinal)) return MemberState.Maintenance;
        if ((flags & DrainFlags) != 0 || status.StartsWith("DRAIN", StringComparison.Ordinal)) return MemberState.Draining;
        return status.StartsWith("UP", StringComparison.Ordinal) || status == "no check" ? MemberState.Ready : MemberState.Down;
    }

    private static string LastCheck(Dictionary<string, string> row)
    {
        // "* L7OK": a check is under way and this was the one before it.
        var result = Text(row, "check_status").TrimStart('*', ' ');
        var detail = Text(row, "last_chk") is { Length: > 0 } said ? said : Text(row, "check_code");
        return $"{result} {detail}".Trim();
    }

    private static Dictionary<string, ServerState> States(string backend, string reply)
    {
        var states = new Dictionary<string, ServerState>();
        string[]? header = null;
        foreach (var line in Lines(reply))
        {
            if (line.StartsWith("# ", StringComparison.Ordinal))
            {
                header = line[2..].Split(' ');
                continue;
            }

            if (header is null) continue;
            var row = header.Zip(line.Split(' ')).DistinctBy(c => c.First).ToDictionary(c => c.First, c => c.Second);
            if (Text(row, "be_name") != backend) continue;
            var (weight, initial) = (Number(row, "srv_uweight"), Number(row, "srv_iweight"));
            states[Text(row, "srv_name")] = new ServerState(
                Count(row, "srv_admin_state"), initial == 0 ? 0 : (int)Math.Min(MaxWeight, Math.Round(100.0 * weight / initial)));
        }

        return header is not null && header.Contains("srv_admin_state") ? states : throw NotAnAnswer("show servers state", reply);
    }

    /// <summary>What <c>show servers state</c> says of a server.</summary>
    /// <param name="Flags">srv_admin_state.</param>
    /// <param name="Weight">In hundredths of the weight that the configuration gives it.</param>
    private readonly record struct ServerState(int Flags, int Weight);

    private static List<Dictionary<string, string>> Stat(string reply)
    {
        List<string>? header = null;
        var rows = new List<Dictionary<string, string>>();
        foreach (var line in Lines(reply))
        {
            if (header is null)
            {
                if (!line.StartsWith("# ", StringComparison.Ordinal)) throw NotAnAnswer("show stat", reply);
                header = Csv(line[2..]);
                foreach (var needed in (string[])["pxname", "svname", "type", "status", "scur", "qcur"])
                {
                    if (!header.Contains(needed)) throw new FormatException($"the answer to \"show stat\" has no column {needed}");
                }

                continue;
            }

            rows.Add(header.Zip(Csv(line)).DistinctBy(c => c.First).ToDictionary(c => c.First, c => c.Second));
        }

        return header is null ? throw NotAnAnswer("show stat", reply) : rows;
    }

    /// <summary>Splits a line at its commas; quoted fields as in RFC 4180 (management guide, section 9.1).</summary>
    private static List<string> Csv(string line)
    {
        var fields = new List<string>();
        var field = new StringBuilder();
        var quoted = false;
        for (var i = 0; i < line.Length; i++)
        {
            var c = line[i];
            if (quoted && c == '"' && i + 1 < line.Length && line[i + 1] == '"')
            {
                field.Append('"');
                i++;
            }
            else if (c == '"')
            {
                quoted = !quoted;
            }
            else if (c == ',' && !quoted)
            {
                fields.Add(field.ToString());
                field.Clear();
            }
            else
            {
                field.Append(c);
            }
        }

        fields.Add(field.ToString());
        return fields;
    }

    private static IEnumerable<string> Lines(string reply)
        => reply.Split('\n').Select(line => line.TrimEnd('\r')).Where(line => line.Length > 0);

    private static string Text(Dictionary<string, string> row, string column) => row.GetValueOrDefault(column, "");

    /// <summary>A counter; 0 where HAProxy says nothing, or no number that can be.</summary>
    private static long Number(Dictionary<string, string> row, string column)
        => long.TryParse(Text(row, column), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= int.MaxValue * 1_000_000L ? number : 0;

    /// <summary>A number that there must be.</summary>
    private static int Count(Dictionary<string, string> row, string column)
        => int.TryParse(Text(row, column), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw new FormatException($"{column} is \"{Shown(Text(row, column))}\", not a number");

    private static FormatException NotAnAnswer(string command, string reply)
        => new($"it does not answer \"{command}\" as HAProxy does: \"{Shown(reply)}\"");

    private static string Shown(string text)
    {
        var line = string.Concat(text.Trim().TakeWhile(c => c != '\n').Take(120).Select(c => char.IsControl(c) ? '\uFFFD' : c));
        return line.Length == 0 ? "(nothing)" : line;
    }
}
