using System.Globalization;
using System.Runtime.InteropServices;
using Decant.Agent.Supervision;

namespace Decant.Agent.Elixir;

/// <summary>
/// Everything that a command has started. Its session alone is not enough: each program that a VM runs (<c>System.cmd</c>, ports) gets a session
/// of its own from erl_child_setup, and goes on when the VM is killed. So descendants are followed too, and remembered once seen: those whose
/// parent has ended cannot be found any more.
/// </summary>
/// <param name="leader">Leads the command's session.</param>
internal sealed partial class CommandTree(int leader)
{
    private const int Rounds = 10;
    private readonly HashSet<ProcessIdentity> members = [];

    /// <summary>Sends a signal to all that are left; those that are started meanwhile get it too.</summary>
    public void Signal(int signal)
    {
        var reached = new HashSet<ProcessIdentity>();
        for (var round = 0; round < Rounds; round++)
        {
            Look();
            var fresh = members.Where(m => m.IsAlive && reached.Add(m)).ToList();
            if (fresh.Count == 0) return;
            // One that ended in between is no error: that is what is wanted.
            foreach (var member in fresh) _ = Kill(member.Pid, signal);
        }
    }

    private void Look()
    {
        var found = Processes().ToList();
        var pids = members.Where(m => m.IsAlive).Select(m => m.Pid).ToHashSet();
        bool grown;
        do
        {
            grown = false;
            foreach (var (identity, parent, session) in found)
            {
                if ((session != leader && !pids.Contains(parent)) || !members.Add(identity)) continue;
                pids.Add(identity.Pid);
                grown = true;
            }
        }
        while (grown);
    }

    /// <summary>All processes with parent and session: fields 4, 6 and 22 of /proc/pid/stat (proc(5)).</summary>
    private static IEnumerable<(ProcessIdentity Identity, int Parent, int Session)> Processes()
    {
        foreach (var entry in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(entry), NumberStyles.None, CultureInfo.InvariantCulture, out var pid)) continue;
            string stat;
            try
            {
                stat = File.ReadAllText(Path.Combine(entry, "stat"));
            }
            catch (IOException)
            {
                // It ended in between.
                continue;
            }

            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            yield return (
                new ProcessIdentity(pid, long.Parse(fields[19], CultureInfo.InvariantCulture), ProcessIdentity.ThisBoot),
                int.Parse(fields[1], CultureInfo.InvariantCulture),
                int.Parse(fields[3], CultureInfo.InvariantCulture));
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int pid, int signal);
}
