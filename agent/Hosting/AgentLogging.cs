using Decant.Agent.Configuration;
using Microsoft.Extensions.Hosting.Systemd;
using Serilog;
using Serilog.Events;
using Serilog.Formatting.Compact;

namespace Decant.Agent.Hosting;

/// <summary>The agent's own log: for people on a console, for the journal under systemd, or as compact JSON.</summary>
internal static class AgentLogging
{
    private const string ConsoleTemplate = "{Timestamp:yyyy-MM-ddTHH:mm:ss.fffzzz} {Level:u3} {Message:lj}{NewLine}{Exception}";

    /// <summary>Makes the logger that agent.yml asks for.</summary>
    public static Serilog.Core.Logger Create(LoggingSettings settings)
    {
        var configuration = new LoggerConfiguration()
            .MinimumLevel.Is(ToSerilog(settings.Level))
            // What ASP.NET Core says of every call is chatter here: operations log themselves.
            .MinimumLevel.Override("Microsoft", LogEventLevel.Warning)
            .MinimumLevel.Override("Grpc", LogEventLevel.Warning)
            // A start that fails is told in one sentence, by Program.
            .MinimumLevel.Override("Microsoft.Extensions.Hosting", LogEventLevel.Fatal);
        return settings.Format == LogFormat.Json
                ? configuration.WriteTo.Console(new CompactJsonFormatter()).CreateLogger()
            : SystemdHelpers.IsSystemdService()
                ? configuration.WriteTo.Console(new JournalFormatter()).CreateLogger()
            : configuration.WriteTo.Console(outputTemplate: ConsoleTemplate, formatProvider: null).CreateLogger();
    }

    private static LogEventLevel ToSerilog(LogLevel level) => level switch
    {
        LogLevel.Trace => LogEventLevel.Verbose,
        LogLevel.Debug => LogEventLevel.Debug,
        LogLevel.Information => LogEventLevel.Information,
        LogLevel.Warning => LogEventLevel.Warning,
        LogLevel.Error => LogEventLevel.Error,
        _ => LogEventLevel.Fatal,
    };
}
