using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Decant.Errors;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>
/// The text of an upstream file: one <c>upstream</c> block with a <c>server</c> line for each member, whose comment has its name and state.
/// A digest in its head tells what the agent wrote from what somebody changed since; a file without one is taken as it is.
/// </summary>
internal sealed partial record NginxUpstream
{
    /// <summary>nginx refuses an upstream without servers.</summary>
    private const string Placeholder = "    server 127.0.0.1:9 down; # nobody: nginx wants at least one";

    private NginxUpstream(string name, MemberTable table, IReadOnlyList<string> directives, string text)
        => (Name, Table, Directives, Text) = (name, table, directives, text);

    /// <summary>Of the block.</summary>
    public string Name { get; }

    /// <summary>Its members.</summary>
    public MemberTable Table { get; }

    /// <summary>Lines of the block that are none of the agent's business (keepalive, least_conn, comments), as they stand.</summary>
    public IReadOnlyList<string> Directives { get; }

    /// <summary>The whole file.</summary>
    public string Text { get; }

    /// <summary>Of the whole file: what a reload that took effect is remembered by.</summary>
    public string Fingerprint => DigestOf(Text);

    /// <summary>Reads a file.</summary>
    /// <exception cref="FormatException">It was changed since the agent wrote it (<see cref="NginxEditedException"/>), or it is not such a file.</exception>
    public static NginxUpstream Parse(string text)
    {
        var lines = text.Split('\n');
        var digest = lines.Select(l => DigestLine().Match(l)).FirstOrDefault(m => m.Success)?.Groups[1].Value;
        if (digest is not null && digest != DigestOf(WithoutDigest(lines))) throw new NginxEditedException();

        string? name = null;
        var closed = false;
        var members = new List<TableMember>();
        var directives = new List<string>();
        for (var i = 0; i < lines.Length; i++)
        {
            var line = lines[i].TrimEnd();
            if (name is null)
            {
                if (BlockLine().Match(line) is { Success: true } block) name = block.Groups[1].Value;
                else if (line.TrimStart() is not ("" or ['#', ..])) throw Wrong(i, line, "only comments may come before \"upstream NAME {\"");
            }
            else if (closed)
            {
                if (line.TrimStart() is not ("" or ['#', ..])) throw Wrong(i, line, "only one upstream block may be in the file");
            }
            else if (line.Trim() == "}")
            {
                closed = true;
            }
            else if (!IsServer(line))
            {
                if (line.Contains('{', StringComparison.Ordinal) || line.Contains('}', StringComparison.Ordinal) || ServerWord().IsMatch(line))
                    throw Wrong(i, line, "write one directive a line");
                directives.Add(line);
            }
            else if (!NobodyLine().IsMatch(line))
            {
                members.Add(ServerLine().Match(line) is { Success: true } server ? ReadMember(server) : throw Wrong(i, line, "write one server a line: server ADDRESS [weight=N] [down]; # member NAME"));
                if (members.Count(m => m.Name == members[^1].Name) > 1) throw Wrong(i, line, $"a second member {members[^1].Name}");
            }
        }

        if (name is null || !closed) throw new FormatException("has no block \"upstream NAME { … }\"");
        return new NginxUpstream(name, new MemberTable(digest is null ? Scaled(members) : members), directives, text);
    }

    /// <summary>The file with other members, as the agent writes it.</summary>
    public NginxUpstream With(MemberTable table)
    {
        var text = new StringBuilder()
            .Append(CultureInfo.InvariantCulture, $"# The members of {Name}, kept by decantd. A change that is made here by hand is noticed and not overwritten;\n")
            .Append("# delete the line with the digest, and decantd takes the file as it is then.\n")
            .Append(CultureInfo.InvariantCulture, $"upstream {Name} {{\n");
        foreach (var directive in Directives) text.Append(directive).Append('\n');
        foreach (var member in table.Members) text.Append(Line(member)).Append('\n');
        if (table.Members.Count == 0) text.Append(Placeholder).Append('\n');
        var body = text.Append("}\n").ToString();
        return new NginxUpstream(Name, table, Directives, $"# decant-digest: {DigestOf(body)}\n{body}");
    }

    private static string Line(TableMember member)
    {
        var options = member.Options.Length == 0 ? "" : $" {member.Options}";
        var state = member.State switch
        {
            MemberState.Draining => " down; # member {0}: draining",
            MemberState.Maintenance => " down; # member {0}: maintenance",
            _ => "; # member {0}",
        };
        return string.Create(
            CultureInfo.InvariantCulture, $"    server {member.Address} weight={member.Weight}{options}{state.Replace("{0}", member.Name.Value, StringComparison.Ordinal)}");
    }

    private static TableMember ReadMember(Match server)
    {
        var options = server.Groups[2].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var weight = options.FirstOrDefault(o => o.StartsWith("weight=", StringComparison.Ordinal)) is { } said
            && int.TryParse(said.AsSpan(7), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 1;
        var named = MemberComment().Match(server.Groups[3].Value);
        var name = named.Success && MemberName.TryParse(named.Groups[1].Value, out var written, out _) ? written : TableMember.NameOf(server.Groups[1].Value);
        var state = !options.Contains("down") ? MemberState.Ready
            : named.Groups[2].Value == "maintenance" ? MemberState.Maintenance
            : MemberState.Draining;
        var others = options.Where(o => o != "down" && !o.StartsWith("weight=", StringComparison.Ordinal));
        return new TableMember(name, server.Groups[1].Value, state, weight, string.Join(' ', others));
    }

    /// <summary>Weights that somebody else gave, by nginx's measure (1 when nothing is said), in hundredths of the greatest.</summary>
    private static IReadOnlyList<TableMember> Scaled(List<TableMember> members)
    {
        var greatest = members.Select(m => m.Weight).DefaultIfEmpty(1).Max();
        return [.. members.Select(m => m with { Weight = greatest is 0 or PutIn.FullWeight ? m.Weight : Math.Max(1, (int)Math.Round(m.Weight * 100.0 / greatest)) })];
    }

    private static bool IsServer(string line) => line.TrimStart().StartsWith("server", StringComparison.Ordinal) && ServerWord().IsMatch(line);

    private static string WithoutDigest(string[] lines) => string.Join('\n', lines.Where(l => !DigestLine().IsMatch(l)));

    private static string DigestOf(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private static FormatException Wrong(int line, string text, string whatNext) => new($"line {line + 1} cannot be read: \"{Printable.Line(text.Trim())}\"; {whatNext}");

    [GeneratedRegex(@"^# decant-digest: ([0-9a-f]{64})\s*$")]
    private static partial Regex DigestLine();

    [GeneratedRegex(@"^\s*upstream\s+(\S+)\s*\{\s*$")]
    private static partial Regex BlockLine();

    [GeneratedRegex(@"(^|;)\s*server\s")]
    private static partial Regex ServerWord();

    [GeneratedRegex(@"^\s*server\s+([^\s;#]+)((?:\s+[^\s;#]+)*)\s*;\s*(?:#\s*(.*))?$")]
    private static partial Regex ServerLine();

    [GeneratedRegex(@"^\s*server\s[^#]*\sdown\s*;\s*# nobody\b")]
    private static partial Regex NobodyLine();

    [GeneratedRegex(@"^member (\S+?)(?:: (draining|maintenance))?\s*$")]
    private static partial Regex MemberComment();
}

/// <summary>Somebody changed the file after the agent wrote it.</summary>
internal sealed class NginxEditedException : FormatException
{
    public NginxEditedException()
        : base("was edited by hand after decantd wrote it")
    {
    }

    public NginxEditedException(string message)
        : base(message)
    {
    }

    public NginxEditedException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
