using Decant.Controller.Fleet;

namespace Decant.Controller.Manifest;

/// <summary>A host that runs the app.</summary>
/// <param name="Name">Its name in the manifest.</param>
/// <param name="Agent">Where its agent listens.</param>
/// <param name="Slot">How the app runs there: the manifest's defaults with the host's own values over them.</param>
public sealed record ManifestHost(HostName Name, AgentAddress Agent, SlotSettings Slot);
