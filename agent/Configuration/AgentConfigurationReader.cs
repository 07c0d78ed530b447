using Decant.Names;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;
using YamlDotNet.RepresentationModel;

namespace Decant.Agent.Configuration;

/// <summary>Reads agent.yml: everything that is wrong in it at once, each with file, line, column and reason.</summary>
internal static class AgentConfigurationReader
{
    private const long MaxBytes = 1 << 20;
    private const int MaxDepth = 20;
    private const int MostProblems = 100;

    /// <summary>Reads the file.</summary>
    public static AgentConfigurationResult ReadFile(string path)
    {
        try
        {
            if (Directory.Exists(path)) return Failed(path, "is a directory; name the file with --config");
            var size = new FileInfo(path).Length;
            if (size > MaxBytes) return Failed(path, $"the file has {size} bytes, a configuration has at most {MaxBytes}");
            using var text = File.OpenText(path);
            return Read(Path.GetFullPath(path), text);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return Failed(path, "no such file; write it (a commented example comes with the package) or name another with --config");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return Failed(path, $"cannot be read: {exception.Message}");
        }
    }

    /// <summary>Reads a configuration.</summary>
    /// <param name="file">What the file is called; its directory holds <c>apps/</c>.</param>
    /// <param name="text">Its content.</param>
    public static AgentConfigurationResult Read(string file, TextReader text)
    {
        var problems = new List<ConfigurationProblem>();
        var root = YamlSection.Root(Load(file, text.ReadToEnd(), problems), file, problems);
        if (problems.Count > 0) return new AgentConfigurationResult(null, InOrder(problems));

        var defaults = new AgentConfiguration { File = file };
        var configuration = defaults with
        {
            Host = root.Value("host", defaults.Host, Values.Host),
            DataDirectory = root.Value("data_dir", defaults.DataDirectory, Values.AbsolutePath),
            Listen = ListenSection.Read(root.Section("listen"), file),
            Access = AccessSection.Read(root.Section("access")),
            Apps = Named<AppName, AppSettings>(root.Section("apps"), AppName.TryParse, App),
            Balancers = Named<BalancerName, BalancerSettings>(root.Section("balancers"), BalancerName.TryParse, Balancer),
            AgentCheck = AgentCheck(root.Section("agent_check")),
            Proxy = root.Keys.Contains("proxy") ? ProxySection.Read(root.Section("proxy")) : null,
            Supervisor = root.Value("supervisor", defaults.Supervisor, Values.Supervisor),
            Limits = Limits(root.Section("limits")),
            Restart = Restart(root.Section("restart")),
            EpmdPort = root.Value("epmd_port", defaults.EpmdPort, Values.Port),
            Journal = Journal(root.Section("journal")),
            Logging = Logging(root.Section("logging")),
        };
        configuration = ProxySection.AddBalancer(configuration, root);
        root.Refuse("tls", "belongs to listen: write listen: { tls: … }");
        if (configuration.AgentCheck is null && configuration.Balancers.FirstOrDefault(b => b.Value is BalancerSettings.AgentCheck).Key is { } asked)
            root.Wrong("balancers", $"{asked} is asked by HAProxies, and they can ask nowhere: set agent_check.listen, for example 0.0.0.0:7421");
        root.RefuseOthers();
        return problems.Count > 0
            ? new AgentConfigurationResult(null, InOrder(problems))
            : new AgentConfigurationResult(configuration, []);
    }

    private static Dictionary<TName, TSettings> Named<TName, TSettings>(
        YamlSection section, Api.RequestReader.Parser<TName> parse, Func<YamlSection, TSettings?> read)
        where TName : class
        where TSettings : class
    {
        var found = new Dictionary<TName, TSettings>();
        foreach (var key in section.Keys.ToList())
        {
            var settings = read(section.Section(key));
            if (!parse(key, out var name, out var reason)) section.Wrong(key, reason);
            else if (settings is not null) found[name] = settings;
        }

        section.RefuseOthers();
        return found;
    }

    private static AppSettings App(YamlSection section)
    {
        var settings = new AppSettings(section.Value<string?>("env_file", null, Values.AbsolutePathOrNull));
        section.RefuseOthers();
        return settings;
    }

    private static BalancerSettings? Balancer(YamlSection section)
    {
        var kind = section.Value<string?>("kind", null, Values.BalancerKind);
        if (!section.Has("kind")) section.Wrong("kind", $"is missing; known: {string.Join(", ", Values.BalancerKinds)}");
        return kind switch
        {
            "haproxy" => Haproxy(section),
            "agent-check" => Asked(section),
            "command" => Command(section),
            "nginx" => Nginx(section),
            "caddy" => Caddy(section),
            "embedded" => Embedded(section),
            _ => null,
        };
    }

    private static AgentCheckSettings? AgentCheck(YamlSection section)
    {
        var listen = section.Value<System.Net.IPEndPoint?>("listen", null, Values.Address);
        var from = section.Value("from", [], Values.IpAddresses);
        section.RefuseOthers();
        return listen is null ? null : new AgentCheckSettings(listen, from);
    }

    private static BalancerSettings.AgentCheck Asked(YamlSection section)
    {
        section.RefuseOthers();
        return new BalancerSettings.AgentCheck();
    }

    private static BalancerSettings.Command? Command(YamlSection section)
    {
        var program = section.Value<string?>("program", null, Values.AbsolutePathOrNull);
        var timeout = section.Value("timeout", BalancerSettings.Command.DefaultTimeout, Values.Time(TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(10)));
        if (!section.Has("program")) section.Wrong("program", "is missing: the absolute path of the program that drives the balancer");
        section.RefuseOthers();
        return program is null ? null : new BalancerSettings.Command(program, timeout);
    }

    private static BalancerSettings.Haproxy? Haproxy(YamlSection section)
    {
        var socket = section.Value<string?>("socket", null, Values.UnixSocket);
        var members = section.Value("members", MemberManagement.Fixed, Values.Members);
        var options = section.Value("member_options", BalancerSettings.Haproxy.DefaultMemberOptions, Values.HaproxyOptions);
        if (!section.Has("socket")) section.Wrong("socket", "is missing: the path of HAProxy's `stats socket … level admin`");
        else if (socket is null) section.Wrong("socket", "a balancer cannot be driven without its socket");
        section.RefuseOthers();
        return socket is null ? null : new BalancerSettings.Haproxy(socket, members, options);
    }

    private static BalancerSettings.Nginx Nginx(YamlSection section)
    {
        var defaults = BalancerSettings.Nginx.Default;
        var nginx = new BalancerSettings.Nginx(
            section.Value("config", defaults.Config, Values.AbsolutePath),
            section.Value("upstreams", defaults.Upstreams, Values.AbsolutePath),
            section.Value("program", defaults.Program, Values.AbsolutePath),
            section.Value("pid", defaults.PidFile, Values.AbsolutePath));
        section.RefuseOthers();
        return nginx;
    }

    private static BalancerSettings.Caddy Caddy(YamlSection section)
    {
        var caddy = section.Value("admin", BalancerSettings.Caddy.Default, Values.CaddyAdmin);
        section.RefuseOthers();
        return caddy;
    }

    private static BalancerSettings.Embedded Embedded(YamlSection section)
    {
        var socket = section.Value("socket", ProxySettings.DefaultSocket, Values.SocketPath);
        section.RefuseOthers();
        return new BalancerSettings.Embedded(socket);
    }

    private static HostLimits Limits(YamlSection section)
    {
        var defaults = new HostLimits();
        var limits = new HostLimits
        {
            ArchiveBytes = section.Value("archive_bytes", defaults.ArchiveBytes, Values.Bytes(1 << 20, 1L << 40)),
            UnpackedBytes = section.Value("unpacked_bytes", defaults.UnpackedBytes, Values.Bytes(1 << 20, 1L << 40)),
            Ratio = section.Value("ratio", defaults.Ratio, Values.Integer(2, 2000)),
            Entries = section.Value("entries", defaults.Entries, Values.Integer(100, 10_000_000)),
            DiskFloorBytes = section.Value("disk_floor", defaults.DiskFloorBytes, Values.Bytes(0, 1L << 40)),
            LogBytes = section.Value("log_bytes", defaults.LogBytes, Values.Bytes(4096, 1L << 40)),
            LogFiles = section.Value("log_files", defaults.LogFiles, Values.Integer(1, 1000)),
        };
        section.RefuseOthers();
        return limits;
    }

    private static RestartSettings Restart(YamlSection section)
    {
        var defaults = new RestartSettings();
        var restart = new RestartSettings
        {
            BackoffMin = section.Value("backoff_min", defaults.BackoffMin, Values.Time(TimeSpan.FromMilliseconds(10), TimeSpan.FromHours(1))),
            BackoffMax = section.Value("backoff_max", defaults.BackoffMax, Values.Time(TimeSpan.FromMilliseconds(10), TimeSpan.FromDays(1))),
            ResetAfter = section.Value("reset_after", defaults.ResetAfter, Values.Time(TimeSpan.FromMilliseconds(10), TimeSpan.FromDays(1))),
        };
        if (restart.BackoffMin > restart.BackoffMax)
        {
            section.Wrong(
                section.Has("backoff_min") ? "backoff_min" : "backoff_max",
                $"the first wait ({Quantity.Shown(restart.BackoffMin)}) is longer than the longest ({Quantity.Shown(restart.BackoffMax)})");
        }

        section.RefuseOthers();
        return restart;
    }

    private static JournalSettings Journal(YamlSection section)
    {
        var keep = section.Value("keep_operations", new JournalSettings().KeepOperations, Values.Integer(100, 1_000_000));
        section.RefuseOthers();
        return new JournalSettings { KeepOperations = keep };
    }

    private static LoggingSettings Logging(YamlSection section)
    {
        var defaults = new LoggingSettings();
        var logging = new LoggingSettings
        {
            Level = section.Value("level", defaults.Level, Values.Level),
            Format = section.Value("format", defaults.Format, Values.Format),
        };
        section.RefuseOthers();
        return logging;
    }

    private static YamlNode? Load(string file, string text, List<ConfigurationProblem> problems)
    {
        var parser = new Parser(new StringReader(text));
        try
        {
            RefuseWhatIsReadRecursively(text);
            var stream = new YamlStream();
            stream.Load(parser);
            if (stream.Documents.Count > 1) problems.Add(At(stream.Documents[1].RootNode.Start, "the file has more than one document; keep one"));
            return stream.Documents.Count == 0 ? null : stream.Documents[0].RootNode;
        }
        catch (YamlException exception)
        {
            problems.Add(At(exception.Start, $"not valid YAML: {exception.InnerException?.Message ?? exception.Message}"));
        }
        catch (Exception exception) when (exception is ArgumentException or InvalidOperationException)
        {
            // YamlDotNet 18 has these for some wrong files, such as one that begins with a colon.
            problems.Add(At(parser.Current?.Start ?? Mark.Empty, $"not valid YAML: {exception.Message}"));
        }

        return null;

        ConfigurationProblem At(Mark mark, string reason) => new(file, (int)mark.Line, (int)mark.Column, reason);
    }

    /// <summary>
    /// The document model is read, hashed and compared recursively: a few thousand brackets, or an alias within what it stands for, would end
    /// the process, and aliases of aliases would keep it busy for ever.
    /// </summary>
    private static void RefuseWhatIsReadRecursively(string text)
    {
        var parser = new Parser(new StringReader(text));
        for (var depth = 0; parser.MoveNext();)
        {
            depth += parser.Current!.NestingIncrease;
            if (parser.Current is AnchorAlias) throw new YamlException(parser.Current.Start, parser.Current.End, "there is an alias; write the value out");
            if (depth > MaxDepth) throw new YamlException(parser.Current.Start, parser.Current.End, $"nested deeper than {MaxDepth} levels");
        }
    }

    private static List<ConfigurationProblem> InOrder(List<ConfigurationProblem> problems)
    {
        var first = problems.OrderBy(p => p.Line).ThenBy(p => p.Column).Take(MostProblems).ToList();
        var others = problems.Count - first.Count;
        return others == 0 ? first : [.. first, first[^1] with { Reason = $"and {others} more problems; correct these first" }];
    }

    private static AgentConfigurationResult Failed(string path, string reason)
        => new(null, [new ConfigurationProblem(path, 0, 0, reason)]);
}

/// <summary>What reading agent.yml came to.</summary>
/// <param name="Configuration">Null when anything is wrong.</param>
/// <param name="Problems">Everything that is wrong, in the file's order.</param>
internal sealed record AgentConfigurationResult(AgentConfiguration? Configuration, IReadOnlyList<ConfigurationProblem> Problems)
{
    /// <summary>What its owner should know although it works.</summary>
    public IReadOnlyList<string> Warnings => Configuration is null ? [] : HostWarnings.Of(Configuration);
}
